/** Polling in the place of a connection, for hosts and proxies that let nothing stay open. */

import type { Cancel, Clock } from "./clock.ts";
import { Listeners } from "./listeners.ts";
import type { ConnectionState } from "./transport.ts";

export class Poller {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #beat: () => void;
  readonly #listeners = new Listeners();
  #state: ConnectionState = { kind: "idle" };
  #cancel: Cancel | null = null;

  constructor(clock: Clock, intervalMs: number, beat: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#beat = beat;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  start(): void {
    if (this.#state.kind !== "idle") return;
    this.#enter({ kind: "open", sinceMs: this.#clock.now() });
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#enter({ kind: "idle" });
  }

  /** Poll now rather than at the next beat; nothing when stopped. */
  restart(): void {
    if (this.#state.kind === "idle") return;
    this.#cancel?.();
    this.#beat();
    this.#schedule();
  }

  wake(): void {
    this.restart();
  }

  /** Nothing can be sent between polls. */
  send(): boolean {
    return false;
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(this.#intervalMs, () => this.restart());
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#listeners.call();
  }
}
