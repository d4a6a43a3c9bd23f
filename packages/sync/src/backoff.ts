/** How long to wait before trying again: full jitter, doubling, capped. */

import type { Cancel, Clock, Random } from "./clock.ts";

export const BACKOFF_CAP_MS = 30_000;

/** How many attempts a refusal for asking too often counts as. */
const RATE_LIMIT_PENALTY = 3;

export class Backoff {
  readonly #baseMs: number;
  readonly #random: Random;
  #attempts = 0;

  constructor(baseMs: number, random: Random) {
    this.#baseMs = baseMs;
    this.#random = random;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** Count one more attempt and draw its delay from [0, min(cap, base * 2^(attempt-1))]. */
  next(): number {
    this.#attempts += 1;
    return this.#random() * Math.min(BACKOFF_CAP_MS, this.#baseMs * 2 ** (this.#attempts - 1));
  }

  /** The server asked for calm: count attempts that were not made. */
  rateLimited(): void {
    this.#attempts += RATE_LIMIT_PENALTY;
  }

  reset(): void {
    this.#attempts = 0;
  }
}

/** Runs an action later, less and less often while it keeps failing; at most one run is due at a time. */
export class RetryTimer {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #action: () => void;
  #cancel: Cancel | null = null;

  constructor(clock: Clock, backoff: Backoff, action: () => void) {
    this.#clock = clock;
    this.#backoff = backoff;
    this.#action = action;
  }

  failed(waitAtLeastMs = 0): void {
    if (this.#cancel !== null) return;
    this.after(Math.max(waitAtLeastMs, this.#backoff.next()));
  }

  succeeded(): void {
    this.#backoff.reset();
    this.cancel();
  }

  /** Run the action after exactly `delayMs`, replacing a run that is due. */
  after(delayMs: number): void {
    this.cancel();
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#cancel = null;
      this.#action();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
