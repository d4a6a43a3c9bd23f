/**
 * What a call has asked and not yet heard of, and which refusals nobody has looked at: a mutation must not commit
 * when an operation that it forgot to await was refused.
 *
 * That nobody looks at a refusal is what the process is told as an unhandled rejection. It names the error, which
 * says whose it is, however many promises it went through.
 */

import type { Request } from "./rpc";

export interface Refusal {
  readonly request: Request;
  readonly error: unknown;
}

const refusals = new WeakMap<object, Refusal & { readonly asker: OpenRequests }>();
const neglected = new WeakMap<Promise<unknown>, OpenRequests>();

/** Call once a process. */
export function watchRejections(): void {
  process.on("unhandledRejection", (reason, promise) => {
    const refusal = typeof reason === "object" && reason !== null ? refusals.get(reason) : undefined;
    if (refusal === undefined) return;
    neglected.set(promise, refusal.asker);
    refusal.asker.neglect(promise, refusal);
  });
  process.on("rejectionHandled", (promise) => neglected.get(promise)?.attend(promise));
}

export class OpenRequests {
  readonly #neglected = new Map<Promise<unknown>, Refusal>();
  #count = 0;
  #hasRefusals = false;
  #onIdle: (() => void) | null = null;

  /** Everything was answered, and nothing refused. */
  get isClear(): boolean {
    return this.#count === 0 && !this.#hasRefusals;
  }

  begin(): void {
    this.#count++;
  }

  end(): void {
    if (--this.#count === 0) this.#onIdle?.();
  }

  refuse(request: Request, error: unknown): void {
    this.#hasRefusals = true;
    if (typeof error === "object" && error !== null) refusals.set(error, { asker: this, request, error });
    this.end();
  }

  /** One that is refused before it is asked. */
  refused(request: Request, error: unknown): Promise<never> {
    this.begin();
    this.refuse(request, error);
    return Promise.reject(error);
  }

  neglect(promise: Promise<unknown>, refusal: Refusal): void {
    this.#neglected.set(promise, refusal);
  }

  attend(promise: Promise<unknown>): void {
    this.#neglected.delete(promise);
  }

  /** Wait until nothing is open, what the answers make the handler ask included; a refusal that nobody looked at. */
  async settled(): Promise<Refusal | null> {
    do {
      if (this.#count > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
      await turn();
    } while (this.#count > 0);
    return this.#neglected.values().next().value ?? null;
  }
}

/** Everybody who waits for what is known by now gets to go on, and what nobody waits for is told. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
