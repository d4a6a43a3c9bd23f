/**
 * Sends what was edited here in one document, one request at a time, until the server has it.
 *
 * Edits made while a request is under way go together in the next one. Without an answer, and after 429 or an error of
 * the server, the same edits are sent again after a growing delay; a refusal is reported and ends it until the next
 * edit. Holds no edits itself: what is missing is exported from the document each time.
 */

import { HttpError } from "@pylonsync/react";
import { type LoroDoc, VersionVector } from "loro-crdt";

const BACKOFF_MS = 1_000;
const BACKOFF_MS_MAX = 30_000;

export interface UploaderHooks {
  /** Hand an update to the server; rejects with `HttpError` when it refuses. */
  post(update: Uint8Array): Promise<void>;
  /** The server refused what was edited here. It is offered again with the next edit. */
  refused(error: HttpError): void;
  /** Sending began, or there is nothing more to send. */
  busy(sending: boolean): void;
}

export class Uploader {
  readonly #doc: LoroDoc;
  readonly #hooks: UploaderHooks;
  /** How many operations of this replica's own the server has; those of others came from it. */
  #sent = 0;
  /** How many were in the last request. */
  #offered = 0;
  #sending = false;
  #waiting: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;

  constructor(doc: LoroDoc, hooks: UploaderHooks) {
    this.#doc = doc;
    this.#hooks = hooks;
  }

  /** Send what is new, unless that is being done or waits for another attempt. Never rejects. */
  async send(): Promise<void> {
    if (this.#sending || this.#waiting !== null || this.#made() === this.#sent) return;
    this.#sending = true;
    this.#hooks.busy(true);
    try {
      while (this.#made() > this.#sent) await this.#sendOnce();
      this.#hooks.busy(false);
    } catch (error) {
      if (error instanceof HttpError && !worthRetrying(error)) this.#giveUp(error);
      else this.#retryLater();
    } finally {
      this.#sending = false;
    }
    // Edits made while a refused request was under way have not been offered yet.
    if (this.#made() > this.#offered) void this.send();
  }

  async #sendOnce(): Promise<void> {
    const made = this.#made();
    this.#offered = made;
    const known = this.#doc.oplogVersion().toJSON().set(this.#doc.peerIdStr, this.#sent);
    await this.#hooks.post(this.#doc.export({ mode: "update", from: new VersionVector(known) }));
    this.#failures = 0;
    this.#sent = made;
  }

  #made(): number {
    return this.#doc.oplogVersion().get(this.#doc.peerIdStr) ?? 0;
  }

  #retryLater(): void {
    const delayMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#waiting = setTimeout(() => {
      this.#waiting = null;
      void this.send();
    }, delayMs);
  }

  #giveUp(error: HttpError): void {
    this.#hooks.busy(false);
    this.#hooks.refused(error);
  }
}

function worthRetrying(error: HttpError): boolean {
  return error.status === 429 || error.status >= 500;
}

/** The bytes as the route takes them. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
