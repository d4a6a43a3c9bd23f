/**
 * The write queue as the screen and other tabs see it: what waits in it is shown, whoever queued it, until it is
 * known what became of it. What one owner queued comes off the screen when another takes over.
 */

import type { Cancel } from "./clock.ts";
import type { Environment } from "./environment.ts";
import type { MutationQueue, PendingMutation } from "./mutations.ts";
import type { LocalStore } from "./store.ts";
import { Siblings } from "./tabs.ts";

/** How long another tab has to send what it queued, before we look whether it is still there to do so. */
export const SIBLING_PUSHES_WITHIN_MS = 5_000;

export interface SharedQueueHooks {
  /** Send what waits. */
  push(): void;
  /** Others sent changes: find them in the replica. */
  confirm(): void;
}

export class SharedQueue {
  readonly #queue: MutationQueue;
  readonly #store: LocalStore;
  readonly #hooks: SharedQueueHooks;
  readonly #environment: Environment;
  readonly #siblings: Siblings;
  #running = false;
  #cancelPush: Cancel | null = null;

  constructor(
    queue: MutationQueue,
    store: LocalStore,
    hooks: SharedQueueHooks,
    environment: Environment,
    name: string,
  ) {
    this.#queue = queue;
    this.#store = store;
    this.#hooks = hooks;
    this.#environment = environment;
    this.#siblings = new Siblings(environment, name, () => void this.#siblingWrote());
  }

  start(): void {
    this.#running = true;
    this.#siblings.start();
  }

  stop(): void {
    this.#running = false;
    this.#siblings.stop();
    this.#cancelPush?.();
    this.#cancelPush = null;
  }

  /** Tell the other tabs that the saved queue is another. */
  announce(): void {
    this.#siblings.announce();
  }

  becomeOwner(owner: string): void {
    const { hidden, shown } = this.#queue.changeOwner(owner);
    this.#store.discard(hidden.map(({ id }) => id));
    this.show(shown);
  }

  /** Show those that still wait; others may have been sent since the queue was looked at. */
  show(mutations: readonly PendingMutation[]): void {
    const waiting = new Set(this.#queue.pending().map(({ id }) => id));
    for (const { id, change } of mutations) if (waiting.has(id)) this.#store.applyOptimistic(id, change);
  }

  /** Wait until what we queued is saved, and take over what other tabs queued and sent. */
  async refresh(): Promise<void> {
    const { added, gone, withdrawn, aliases } = await this.#queue.refresh();
    this.#store.renamed(aliases);
    this.show(added);
    this.#store.discard(withdrawn.map(({ id }) => id));
    // Whoever took them knows what became of them; we keep showing them until the replica does.
    for (const { id, change } of gone) this.#store.acknowledge(id, change, Number.MAX_SAFE_INTEGER);
    if (gone.length > 0) this.#hooks.confirm();
  }

  /** Another tab changed the queue. It sends what it queued, unless it goes away before. */
  async #siblingWrote(): Promise<void> {
    await this.refresh();
    if (!this.#running || this.#queue.pending().length === 0) return;
    this.#cancelPush ??= this.#environment.clock.after(SIBLING_PUSHES_WITHIN_MS, () => {
      this.#cancelPush = null;
      this.#hooks.push();
    });
  }
}
