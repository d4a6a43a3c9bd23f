/**
 * Frames to the server on a file descriptor. Frames written in one turn of the event loop leave in one system
 * call: every handler that a chunk of answers woke gets to speak before the batch goes.
 */

import { writeSync } from "node:fs";
import type { ChildFrame } from "./protocol";

const RETRY_MS = 1;

export class FrameWriter {
  readonly #fd: number;
  #lines = "";
  #scheduled = false;
  #seen = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Throws, and sends nothing, when the frame cannot be written as JSON. */
  send(frame: ChildFrame): void {
    this.#lines += wellFormed(JSON.stringify(frame)) + "\n";
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#seen = 0;
    queueMicrotask(this.#settle);
  }

  /** Runs once a round of microtasks; the round that adds nothing is the last, and writes. */
  readonly #settle = (): void => {
    if (this.#lines.length !== this.#seen) {
      this.#seen = this.#lines.length;
      queueMicrotask(this.#settle);
      return;
    }
    this.#scheduled = false;
    this.flush();
  };

  flush(): void {
    if (this.#lines === "") return;
    // The first newline ends whatever a handler left unfinished on the same descriptor.
    const bytes = Buffer.from("\n" + this.#lines);
    this.#lines = "";
    writeAll(this.#fd, bytes);
  }
}

/** JSON with half a surrogate pair escaped in it is no text to stricter parsers: it becomes U+FFFD. */
function wellFormed(json: string): string {
  if (!json.includes("\\ud")) return json;
  return json.replace(/\\(?:\\|ud[0-9a-f]{3})/g, (escape) => (escape === "\\\\" ? escape : "\\ufffd"));
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += writeSync(fd, bytes, sent);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
      Bun.sleepSync(RETRY_MS);
    }
  }
}
