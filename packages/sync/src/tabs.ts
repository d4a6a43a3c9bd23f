/**
 * Several tabs on one database: one of them pushes at a time, and each tells the others when the queue changed.
 *
 * Web Locks let a tab go first and free its place when it dies. Where there are none (pages without TLS), a lease
 * in the database does it: renewed while in use, free again soon after its holder died. Neither has to be perfect,
 * because the server knows each operation by its id; they keep order and spare requests.
 */

import type { Clock } from "./clock.ts";
import type { Environment, LockRequester } from "./environment.ts";

export const LEASE_MS = 10_000;
const LEASE_RETRY_MS = 200;

/** Runs one action at a time among all who use the same lock. */
export interface PushLock {
  run(action: () => Promise<void>): Promise<void>;
}

/** For a queue that nobody shares. */
export const noLock: PushLock = { run: (action) => action() };

export function webLock(locks: LockRequester, name: string): PushLock {
  return { run: (action) => locks.request(name, action) };
}

/** Where the lease is kept. */
export interface LeaseStore {
  takePushing(holder: string, nowMs: number, untilMs: number): Promise<boolean>;
  dropPushing(holder: string): Promise<void>;
}

export class LeaseLock implements PushLock {
  readonly #store: LeaseStore;
  readonly #holder: string;
  readonly #clock: Clock;

  constructor(store: LeaseStore, holder: string, clock: Clock) {
    this.#store = store;
    this.#holder = holder;
    this.#clock = clock;
  }

  async run(action: () => Promise<void>): Promise<void> {
    while (!(await this.#take())) {
      await new Promise<void>((resolve) => void this.#clock.after(LEASE_RETRY_MS, resolve));
    }
    let cancel = (): void => undefined;
    const renew = (): void => {
      cancel = this.#clock.after(LEASE_MS / 3, () => {
        void this.#take();
        renew();
      });
    };
    renew();
    try {
      await action();
    } finally {
      cancel();
      await this.#store.dropPushing(this.#holder).catch(() => undefined);
    }
  }

  /** A database that does not answer shares nothing, so there is nobody to wait for. */
  #take(): Promise<boolean> {
    const now = this.#clock.now();
    return this.#store.takePushing(this.#holder, now, now + LEASE_MS).catch(() => true);
  }
}

/** The tabs that share a queue, as one of them sees the others. */
export class Siblings {
  readonly #open: () => BroadcastChannel | null;
  readonly #heard: () => void;
  #channel: BroadcastChannel | null = null;

  constructor({ BroadcastChannel: Channel }: Environment, name: string, heard: () => void) {
    this.#open = () => (Channel === undefined ? null : new Channel(name));
    this.#heard = heard;
  }

  start(): void {
    this.#channel ??= this.#open();
    if (this.#channel !== null) this.#channel.onmessage = () => this.#heard();
  }

  stop(): void {
    this.#channel?.close();
    this.#channel = null;
  }

  /** Tell the others that the saved queue is another. */
  announce(): void {
    this.#channel?.postMessage("queue");
  }
}
