/**
 * When waiting for the next attempt makes no sense any more: the network is back, or somebody looks at the page again.
 *
 * A network comes back for many at once, so each of them waits for a random moment first.
 */

import type { Cancel, Clock } from "./clock.ts";
import type { Environment } from "./environment.ts";

/** How long a page must have been hidden to be out of date when it is seen again. */
export const HIDDEN_MS = 30_000;
export const WAKE_WITHIN_MS = 1_000;

/** The part of a browser's window that tells; other hosts have less of it, or nothing. */
export interface PageEvents {
  addEventListener?: EventTarget["addEventListener"] | undefined;
  removeEventListener?: EventTarget["removeEventListener"] | undefined;
  document?: (Pick<Document, "visibilityState"> & Pick<EventTarget, "addEventListener" | "removeEventListener">) | undefined;
}

/** Call `wake` on each of them; returns the way to stop. */
export function pageWakeups(page: PageEvents, clock: Clock, wake: () => void): () => void {
  let hiddenAtMs = page.document?.visibilityState === "hidden" ? clock.now() : null;
  const look = (): void => {
    if (page.document?.visibilityState === "hidden") {
      hiddenAtMs = clock.now();
      return;
    }
    if (hiddenAtMs !== null && clock.now() - hiddenAtMs >= HIDDEN_MS) wake();
    hiddenAtMs = null;
  };
  page.addEventListener?.("online", wake);
  page.document?.addEventListener("visibilitychange", look);
  return () => {
    page.removeEventListener?.("online", wake);
    page.document?.removeEventListener("visibilitychange", look);
  };
}

/** Calls an action a moment after each of them, while started. */
export class Wakeups {
  readonly #environment: Environment;
  readonly #action: () => void;
  #stop: (() => void) | null = null;
  #cancel: Cancel | null = null;

  constructor(environment: Environment, action: () => void) {
    this.#environment = environment;
    this.#action = action;
  }

  start(): void {
    this.#stop ??= this.#environment.wakeups?.(() => this.happened()) ?? (() => undefined);
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
    this.#cancel?.();
    this.#cancel = null;
  }

  /** The host's own signs are not the only ones: an app may know better. Nothing when stopped. */
  happened(): void {
    const { clock, random } = this.#environment;
    if (this.#stop === null) return;
    this.#cancel ??= clock.after(random() * WAKE_WITHIN_MS, () => {
      this.#cancel = null;
      this.#action();
    });
  }
}
