/** Sees to it that accepted writes are shown as the server has them: a pull looks for an event that does not come. */

import type { Cancel, Clock } from "./clock.ts";
import type { ChangeFeed } from "./feed.ts";
import type { LocalStore } from "./store.ts";

/** How long an accepted write may wait for its event before a pull is made to look for it. */
export const CONFIRM_WITHIN_MS = 2_000;

export class Confirmation {
  readonly #store: LocalStore;
  readonly #feed: ChangeFeed;
  readonly #clock: Clock;
  #cancel: Cancel | null = null;

  constructor(store: LocalStore, feed: ChangeFeed, clock: Clock) {
    this.#store = store;
    this.#feed = feed;
    this.#clock = clock;
  }

  /** Changes up to `seq` are stored: they need no proof that we have, and the others get some time. */
  accepted(seq: number): void {
    if (this.#feed.cursor >= seq) this.#store.reached(seq);
    if (this.#store.acknowledged().length === 0 || this.#cancel !== null) return;
    this.#cancel = this.#clock.after(CONFIRM_WITHIN_MS, () => {
      this.#cancel = null;
      if (this.#store.acknowledged().length > 0) void this.#feed.pull();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
