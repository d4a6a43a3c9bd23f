/** What was written here and the server does not have: the queue, and whatever else counts itself in. */

import { Listeners } from "./listeners.ts";
import type { MutationQueue } from "./mutations.ts";

/** Something that sends what was written. */
export interface UnsentSource {
  /** How much it has to send. */
  count(): number;
  /** Call `listener` when that may have changed; returns the way to stop. */
  subscribe(listener: () => void): () => void;
}

export class Unsent {
  readonly #sources = new Set<UnsentSource>();
  readonly #listeners = new Listeners();

  constructor(queue: MutationQueue) {
    this.add({ count: () => queue.pending().length, subscribe: (listener) => queue.subscribe(listener) });
  }

  get count(): number {
    return [...this.#sources].reduce((sum, source) => sum + source.count(), 0);
  }

  /** Call `listener` when `count` may have changed; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Count in what a source has to send; returns the way to stop. */
  add(source: UnsentSource): () => void {
    this.#sources.add(source);
    const stop = source.subscribe(() => this.#listeners.call());
    this.#listeners.call();
    return () => {
      stop();
      this.#sources.delete(source);
      this.#listeners.call();
    };
  }
}
