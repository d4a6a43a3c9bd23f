/** How it stands with the replica, for those who show it: whether it is whole, being fetched, and what went wrong. */

import { Listeners } from "./listeners.ts";

/** Whether it is known as whom we speak: not at all, by what was saved with the token, or by the server's word. */
export type IdentityStatus = "unknown" | "assumed" | "known";

export interface SyncStatus {
  /** Whether the replica holds all it should, as of some moment; an entity without rows is then known to be empty. */
  readonly loaded: boolean;
  readonly pulling: boolean;
  /** How the last pull failed; null when it did not. */
  readonly error: Error | null;
  /** Only when it is "known" does `resolvedSession` say what the server says of the present token. */
  readonly identity: IdentityStatus;
}

export class StatusTracker {
  readonly #listeners = new Listeners();
  #current: SyncStatus = { loaded: false, pulling: false, error: null, identity: "unknown" };

  /** The same object until something in it changes. */
  get current(): SyncStatus {
    return this.#current;
  }

  update(news: Partial<SyncStatus>): void {
    const next = { ...this.#current, ...news };
    const { loaded, pulling, error, identity } = this.#current;
    const same = next.loaded === loaded && next.pulling === pulling && next.error === error;
    if (same && next.identity === identity) return;
    this.#current = next;
    this.#listeners.call();
  }

  /** Call `listener` on every change; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }
}
