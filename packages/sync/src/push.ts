/**
 * Sends the write queue: one request at a time, in order, until nothing is left or nothing moves.
 *
 * A refused change is rolled back in the store and stays in the queue as failed. A request that got no answer,
 * or one that says nothing about its changes, leaves all of them pending under the same operation ids.
 */

import { type Backoff, RetryTimer } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { HttpError } from "./http.ts";
import { type MutationQueue, type PushOutcome, pushOutcomes } from "./mutations.ts";
import { parsePushResponse } from "./protocol.ts";
import type { LocalStore } from "./store.ts";

export const PUSH_CHANGES_MAX = 500;

export interface PushHooks {
  /** Post `body` to `path`; rejects with `HttpError` for an error status. */
  post(path: string, body: unknown): Promise<unknown>;
  /** Called before each request; rejects when it is not known as whom. */
  beforePush(): Promise<void>;
  /** Called when the server accepted changes and had reached `seq`. */
  accepted(seq: number): void;
}

export class Pusher {
  readonly #queue: MutationQueue;
  readonly #store: LocalStore;
  readonly #hooks: PushHooks;
  readonly #clientId: string;
  readonly #retry: RetryTimer;
  #pushing: Promise<void> | null = null;

  constructor(
    queue: MutationQueue,
    store: LocalStore,
    hooks: PushHooks,
    clientId: string,
    clock: Clock,
    backoff: Backoff,
  ) {
    this.#queue = queue;
    this.#store = store;
    this.#hooks = hooks;
    this.#clientId = clientId;
    this.#retry = new RetryTimer(clock, backoff, () => void this.push());
  }

  /** Send what is pending. Callers share one run; it never rejects. */
  push(): Promise<void> {
    return (this.#pushing ??= this.#push());
  }

  /** Retry nothing any more; a later `push` goes on. */
  stop(): void {
    this.#retry.cancel();
  }

  async #push(): Promise<void> {
    this.#retry.cancel();
    try {
      while (await this.#pushOnce());
      this.#retry.succeeded();
    } catch (error) {
      if (worthRetrying(error)) this.#retry.failed(error instanceof HttpError ? error.retryAfterMs : 0);
    } finally {
      // Cleared here and not in a `then`: a change queued right after the last look starts a run of its own.
      this.#pushing = null;
    }
  }

  /** Send one batch. Returns whether it settled anything, so that another look is worth it. */
  async #pushOnce(): Promise<boolean> {
    await this.#hooks.beforePush();
    const sent = this.#queue.pending().slice(0, PUSH_CHANGES_MAX);
    if (sent.length === 0) return false;
    const changes = sent.map((mutation) => mutation.change);
    const body = { changes, client_id: this.#clientId };
    const response = parsePushResponse(await this.#hooks.post("/api/sync/push", body));
    const outcomes = pushOutcomes(sent, response);
    for (const outcome of outcomes) this.#settle(outcome, response.cursor.last_seq);
    this.#queue.clear();
    if (outcomes.some(({ kind }) => kind === "applied")) this.#hooks.accepted(response.cursor.last_seq);
    return outcomes.some(({ kind }) => kind !== "pending");
  }

  #settle(outcome: PushOutcome, seq: number): void {
    const { id, change } = outcome.mutation;
    switch (outcome.kind) {
      case "applied":
        this.#queue.markApplied(id);
        this.#store.acknowledge(id, change, seq);
        break;
      case "failed":
        this.#queue.markFailed(id, outcome.error);
        this.#store.discard([id]);
        break;
      case "pending":
        break;
      default:
        outcome satisfies never;
    }
  }
}

/** Whether the same request may do better later; a refusal of the request as a whole will not by itself. */
function worthRetrying(error: unknown): boolean {
  return !(error instanceof HttpError) || error.status === 429 || error.status >= 500;
}
