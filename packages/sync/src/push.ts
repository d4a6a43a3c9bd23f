/**
 * Sends the write queue: one request at a time, in order, until nothing is left or nothing moves.
 *
 * A refused change is rolled back in the store and stays in the queue as failed. A request that got no answer,
 * or one that says nothing about its changes, leaves all of them pending under the same operation ids. Of a request
 * that is refused for something in it, the first half is sent, until the change that it was is alone; then it has
 * failed, and the rest goes on in requests that grow again.
 */

import { type Alias, refersTo } from "./aliases.ts";
import { type Backoff, RetryTimer } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { HttpError } from "./http.ts";
import { type MutationQueue, type PendingMutation, type PushOutcome, pushOutcomes } from "./mutations.ts";
import { parsePushResponse, type PushResponse } from "./protocol.ts";
import { refusalOf } from "./push-refusal.ts";
import type { LocalStore } from "./store.ts";
import { noLock, type PushLock } from "./tabs.ts";

export const PUSH_CHANGES_MAX = 500;

/** How much text one request holds, unless a single change is longer; servers take 10 MiB. */
export const PUSH_CHARS_MAX = 2_000_000;

export interface PushHooks {
  /** Post `body` to `path`; rejects with `HttpError` for an error status. */
  post(path: string, body: unknown): Promise<unknown>;
  /** Called before each request; rejects when it is not known as whom. */
  beforePush(): Promise<void>;
  /** Whether the server takes us for anybody. */
  signedIn(): boolean;
  /** Called when we may not push as who we are. */
  notAsUs(): void;
  /** Called before the queue is looked at: wait until it is saved, and see what others did to it. */
  refreshQueue(): Promise<void>;
  /** Called when the server accepted changes and had reached `seq`. */
  accepted(seq: number): void;
}

export class Pusher {
  readonly #queue: MutationQueue;
  readonly #store: LocalStore;
  readonly #hooks: PushHooks;
  readonly #clientId: string;
  readonly #retry: RetryTimer;
  readonly #lock: PushLock;
  #pushing: Promise<void> | null = null;
  /** Whether somebody asked for a push while one was running; it may have looked at the queue before. */
  #askedAgain = false;
  /** Whether this server was seen to keep the ids that clients give to rows. */
  #keepsIds = false;
  /** How many changes the next request may hold; fewer while something is refused that is not found yet. */
  #batchMax = PUSH_CHANGES_MAX;

  constructor(
    queue: MutationQueue,
    store: LocalStore,
    hooks: PushHooks,
    clientId: string,
    clock: Clock,
    backoff: Backoff,
    lock: PushLock = noLock,
  ) {
    this.#queue = queue;
    this.#store = store;
    this.#hooks = hooks;
    this.#clientId = clientId;
    this.#lock = lock;
    this.#retry = new RetryTimer(clock, backoff, () => void this.push());
  }

  /** Send what is pending. Callers share one run; it never rejects. */
  push(): Promise<void> {
    if (this.#pushing === null) return (this.#pushing = this.#push());
    this.#askedAgain = true;
    return this.#pushing;
  }

  /** Retry nothing any more; a later `push` goes on. */
  stop(): void {
    this.#retry.cancel();
  }

  async #push(): Promise<void> {
    this.#retry.cancel();
    try {
      do {
        this.#askedAgain = false;
        await this.#lock.run(async () => {
          while (await this.#pushOnce());
        });
      } while (this.#askedAgain);
      this.#retry.succeeded();
    } catch (error) {
      const refusal = refusalOf(error, this.#hooks.signedIn());
      if (refusal === "later") this.#retry.failed(error instanceof HttpError ? error.retryAfterMs : 0);
      else if (refusal === "not-as-us") this.#hooks.notAsUs();
    } finally {
      // Cleared here and not in a `then`: a change queued right after the last look starts a run of its own.
      this.#pushing = null;
    }
  }

  /** Send one batch. Returns whether it settled anything, so that another look is worth it. */
  async #pushOnce(): Promise<boolean> {
    await this.#hooks.beforePush();
    await this.#hooks.refreshQueue();
    const sent = this.#nextBatch();
    if (sent.length === 0) return false;
    const response = await this.#send(sent);
    if (response === null) return true;
    const outcomes = pushOutcomes(sent, response);
    this.#settle(outcomes, response.cursor.last_seq);
    if (outcomes.some(({ kind }) => kind === "applied")) this.#hooks.accepted(response.cursor.last_seq);
    return outcomes.some(({ kind }) => kind !== "pending");
  }

  /** The answer; null when the request was refused for something in it, which the next one will hold less of. */
  async #send(sent: readonly PendingMutation[]): Promise<PushResponse | null> {
    const changes = sent.map((mutation) => mutation.change);
    const body = { changes, client_id: this.#clientOf(sent[0]) };
    try {
      const response = parsePushResponse(await this.#hooks.post("/api/sync/push", body));
      this.#batchMax = Math.min(PUSH_CHANGES_MAX, this.#batchMax * 2);
      return response;
    } catch (error) {
      if (!(error instanceof HttpError) || refusalOf(error, this.#hooks.signedIn()) !== "changes") throw error;
      const [first] = sent;
      if (sent.length > 1 || first === undefined) this.#batchMax = Math.max(1, Math.floor(sent.length / 2));
      else this.#settle([{ kind: "failed", mutation: first, refusal: { error: error.message, code: error.code } }], 0);
      return null;
    }
  }

  /**
   * What to send next: one client's changes, and none that names a row whose id the server may still change: the
   * server would not know it. Once it was seen to keep such ids, there is no waiting for its answer.
   */
  #nextBatch(): PendingMutation[] {
    const batch: PendingMutation[] = [];
    const unconfirmed = new Set<string>();
    let chars = 0;
    for (const mutation of this.#queue.pending()) {
      const { change } = mutation;
      chars += JSON.stringify(change).length;
      const full = batch.length === this.#batchMax || chars > PUSH_CHARS_MAX;
      const foreign = this.#clientOf(batch[0]) !== this.#clientOf(mutation);
      if (batch.length > 0 && (full || foreign || refersTo(change, unconfirmed))) break;
      batch.push(mutation);
      if (change.kind === "insert" && !this.#keepsIds) unconfirmed.add(change.row_id);
    }
    return batch;
  }

  #clientOf(mutation: PendingMutation | undefined): string {
    return mutation?.client_id ?? this.#clientId;
  }

  #settle(outcomes: readonly PushOutcome[], seq: number): void {
    const applied = outcomes.filter((outcome) => outcome.kind === "applied");
    const failed = outcomes.filter((outcome) => outcome.kind === "failed");
    const inserted = applied.filter(({ mutation }) => mutation.change.kind === "insert");
    const aliases = inserted.flatMap(({ mutation: { change }, rowId }): Alias[] =>
      rowId === change.row_id ? [] : [{ entity: change.entity, temporary: change.row_id, row_id: rowId }],
    );
    if (inserted.length > 0) this.#keepsIds = aliases.length === 0;
    this.#queue.settle({
      applied: applied.map(({ mutation }) => mutation.id),
      failed: new Map(failed.map(({ mutation, refusal }) => [mutation.id, refusal])),
      aliases,
    });
    this.#store.renamed(aliases);
    for (const { mutation } of applied) this.#store.acknowledge(mutation.id, mutation.change, seq);
    this.#store.discard(failed.map(({ mutation }) => mutation.id));
  }
}
