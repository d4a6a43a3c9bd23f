/**
 * Sends what was edited here in one document, one request at a time, until the server has it.
 *
 *     idle ──edit──▶ sending ──done──▶ idle          what is edited meanwhile goes together in the next request
 *                     │  ▲ └─refused──▶ given up      until the next edit, or `retry`
 *             no answer  │
 *                     ▼  │
 *                    waiting                         a growing delay; `retry` ends it
 *
 * Holds no edits itself: what the server lacks is exported from the document each time, by what the server is known
 * to hold. Sending something twice is harmless, because a document takes each operation once.
 */

import { HttpError } from "@pylonsync/react";
import type { LoroDoc } from "loro-crdt";
import { covers, exportSince, NOTHING, union, type Version, versionOf } from "./versions.ts";

const BACKOFF_MS = 1_000;
const BACKOFF_MS_MAX = 30_000;

/** The server cannot make anything of the bytes: it lacks what they build upon, or it lost the document. */
const NOT_UNDERSTOOD: ReadonlySet<string | undefined> = new Set(["CRDT_DECODE_FAILED", "CRDT_APPLY_FAILED"]);

export interface UploadStatus {
  /** Whether there are edits that the server does not have. */
  readonly unsent: boolean;
  /** Why the server refused them; they are offered again with the next edit. */
  readonly error: Error | null;
}

export interface UploaderHooks {
  /** Hand an update to the server; rejects with `HttpError` when it refuses. */
  post(update: Uint8Array): Promise<void>;
  /** Whether the row is still on its way to the server, which cannot know it yet. */
  rowIsQueued(): boolean;
  /** Ask the server for the whole document. */
  resubscribe(): void;
  /** `status` changed. */
  changed(): void;
}

export class Uploader {
  readonly #doc: LoroDoc;
  readonly #hooks: UploaderHooks;
  readonly #random: () => number;
  #held: Version = NOTHING;
  #expectsWhole = false;
  /** What it took since we expect the whole document. */
  #taken: Version = NOTHING;
  /** What was in the last request. */
  #offered: Version = NOTHING;
  #status: UploadStatus = { unsent: false, error: null };
  #sending = false;
  #stopped = false;
  /** Whether the next request carries the whole document. */
  #whole = false;
  #waiting: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;

  constructor(doc: LoroDoc, hooks: UploaderHooks, random: () => number = Math.random) {
    this.#doc = doc;
    this.#hooks = hooks;
    this.#random = random;
  }

  /** The same object until something in it changes. */
  get status(): UploadStatus {
    return this.#status;
  }

  /** What the server is known to hold. */
  get held(): Version {
    return this.#held;
  }

  /** The server is about to send the whole document, which says what it holds: it may have lost some of it. */
  expectWhole(): void {
    this.#expectsWhole = true;
    this.#taken = NOTHING;
  }

  /** The server sent what it has: this much, and it is the `whole` document. */
  serverHolds(version: Version, whole = false): void {
    // What it took meanwhile may not have been in it yet.
    this.#held = union(version, whole && this.#expectsWhole ? this.#taken : this.#held);
    if (whole) this.#expectsWhole = false;
    if (!this.#unsent()) this.#show(null);
    else if (this.#status.error === null) void this.send();
  }

  /** Send what is new, unless that is being done or waits for another attempt. Never rejects. */
  async send(): Promise<void> {
    if (this.#stopped || !this.#unsent()) return;
    // Also while a request is under way: the server may have told of all that it carries, and this is new.
    this.#show(this.#status.error);
    if (this.#sending || this.#waiting !== null) return;
    this.#sending = true;
    try {
      while (this.#unsent() && !this.#stopped) await this.#sendOnce();
      this.#show(null);
    } catch (error) {
      if (error instanceof HttpError && !this.#worthRetrying(error)) this.#show(error);
      else this.#retryLater();
    } finally {
      this.#sending = false;
    }
    // Edits made while a refused request was under way have not been offered yet.
    if (!covers(this.#offered, versionOf(this.#doc))) void this.send();
  }

  /** There is a new connection: what waits is tried at once. What was refused was refused, but to another session. */
  connected(): void {
    const { error } = this.#status;
    if (error === null || (error instanceof HttpError && error.status === 401)) this.retry();
  }

  /** Try at once. */
  retry(): void {
    if (this.#waiting !== null) clearTimeout(this.#waiting);
    this.#waiting = null;
    this.#failures = 0;
    void this.send();
  }

  /** For good; what is unsent stays with whoever keeps the document. */
  stop(): void {
    this.#stopped = true;
    if (this.#waiting !== null) clearTimeout(this.#waiting);
  }

  async #sendOnce(): Promise<void> {
    const version = versionOf(this.#doc);
    const whole = this.#whole;
    this.#offered = version;
    try {
      await this.#hooks.post(whole ? this.#doc.export({ mode: "snapshot" }) : exportSince(this.#doc, this.#held));
    } catch (error) {
      this.#whole = error instanceof HttpError && NOT_UNDERSTOOD.has(error.code) && !whole;
      if (!this.#whole) throw error;
      this.#hooks.resubscribe();
      return;
    }
    this.#failures = 0;
    this.#whole = false;
    this.#held = union(this.#held, version);
    this.#taken = union(this.#taken, version);
  }

  #unsent(): boolean {
    return !covers(this.#held, versionOf(this.#doc));
  }

  #worthRetrying({ status, code }: HttpError): boolean {
    if (NOT_UNDERSTOOD.has(code)) return false;
    // A row that is not there is refused like one that is nobody's business: 403 or 404.
    if (status === 404 || status === 403) return this.#hooks.rowIsQueued();
    return status === 408 || status === 429 || status >= 500;
  }

  #retryLater(): void {
    const delayMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#failures) * (1 + this.#random()) / 2;
    this.#failures += 1;
    this.#waiting = setTimeout(() => {
      this.#waiting = null;
      void this.send();
    }, delayMs);
  }

  #show(error: Error | null): void {
    const unsent = this.#unsent();
    if (this.#stopped || (this.#status.unsent === unsent && this.#status.error === error)) return;
    this.#status = { unsent, error };
    this.#hooks.changed();
  }
}

/** The bytes as the route takes them. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
