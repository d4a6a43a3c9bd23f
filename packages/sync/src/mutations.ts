/**
 * The offline write queue: what the user did and the server has not confirmed yet.
 *
 *     pending ──▶ applied ──clear()──▶ gone
 *        └──────▶ failed  ──remove()─▶ gone
 *
 * Order is the order of the user's actions and never changes. Pending entries have no bound, because each is
 * something a user did; failed ones wait for the app to `remove` them, and beyond `FAILED_MAX` the oldest go.
 * Knows no network: `push.ts` sends, `pushOutcomes` reads the answer.
 */

import { systemIds } from "./environment.ts";
import type { Ids } from "./ids.ts";
import { Listeners } from "./listeners.ts";
import type { ClientChange, PushResponse } from "./protocol.ts";

export const FAILED_MAX = 1000;

export interface PendingMutation {
  id: string;
  change: ClientChange;
  status: "pending" | "applied" | "failed";
  error?: string | undefined;
}

/** Keeps the queue across reloads; `saveAll` replaces what was saved before. */
export interface MutationQueuePersistence {
  saveAll(mutations: PendingMutation[]): Promise<void>;
  loadAll(): Promise<PendingMutation[]>;
}

export class MutationQueue {
  readonly #ids: Ids;
  readonly #listeners = new Listeners();
  #persistence: MutationQueuePersistence | null;
  #saving: Promise<void> = Promise.resolve();
  #entries: PendingMutation[] = [];

  constructor(persistence: MutationQueuePersistence | null = null, ids: Ids = systemIds()) {
    this.#persistence = persistence;
    this.#ids = ids;
  }

  attachPersistence(persistence: MutationQueuePersistence): void {
    this.#persistence = persistence;
  }

  /** Add saved mutations behind those already here. Resolves to the ones added; what cannot be read is none. */
  async hydrate(): Promise<PendingMutation[]> {
    const saved = await this.#load();
    const known = new Set(this.#entries.map((entry) => entry.id));
    const added = saved.filter((entry) => !known.has(entry.id));
    this.#replace([...this.#entries, ...added]);
    return added;
  }

  /** Queue a change under a fresh operation id, which is also the id returned. */
  add(change: ClientChange): string {
    const id = this.#ids.operation();
    this.#replace([...this.#entries, { id, change: { ...change, op_id: id }, status: "pending" }]);
    return id;
  }

  /** What is still to be sent, oldest first. */
  pending(): PendingMutation[] {
    return this.#entries.filter((entry) => entry.status === "pending");
  }

  /** What the server refused, oldest first. */
  failed(): PendingMutation[] {
    return this.#entries.filter((entry) => entry.status === "failed");
  }

  markApplied(id: string): void {
    this.#replace(this.#entries.map((entry) => (entry.id === id ? { ...entry, status: "applied" } : entry)));
  }

  markFailed(id: string, error: string): void {
    const entries = this.#entries.map((entry): PendingMutation =>
      entry.id === id ? { ...entry, status: "failed", error } : entry,
    );
    const failed = entries.filter((entry) => entry.status === "failed");
    const dropped = new Set(failed.slice(0, Math.max(0, failed.length - FAILED_MAX)));
    this.#replace(entries.filter((entry) => !dropped.has(entry)));
  }

  /** Drop what was applied. */
  clear(): void {
    this.#replace(this.#entries.filter((entry) => entry.status !== "applied"));
  }

  /** Drop one, whatever its status; for a failure the user has seen. */
  remove(id: string): void {
    this.#replace(this.#entries.filter((entry) => entry.id !== id));
  }

  /** Call `listener` on every change of the queue; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  #replace(entries: PendingMutation[]): void {
    this.#entries = entries;
    this.#save();
    this.#listeners.call();
  }

  /** Saves run one after another, so that the last snapshot is the one that stays. */
  #save(): void {
    const persistence = this.#persistence;
    if (persistence === null) return;
    const snapshot = this.#entries;
    this.#saving = this.#saving
      .then(() => persistence.saveAll(snapshot))
      .catch((error: unknown) => console.warn("pylon: the write queue could not be saved", error));
  }

  async #load(): Promise<PendingMutation[]> {
    try {
      return (await this.#persistence?.loadAll()) ?? [];
    } catch (error) {
      console.warn("pylon: the saved write queue could not be read", error);
      return [];
    }
  }
}

export type PushOutcome =
  | { kind: "applied"; mutation: PendingMutation }
  | { kind: "failed"; mutation: PendingMutation; error: string }
  /** The server did not get to it; it is sent again with the same operation id. */
  | { kind: "pending"; mutation: PendingMutation };

/** What became of each mutation sent, by the server's own list or else by position (contract 05 §5.3). */
export function pushOutcomes(sent: readonly PendingMutation[], response: PushResponse): PushOutcome[] {
  const { results } = response;
  if (results !== undefined) {
    const byOperation = new Map(results.map((result) => [result.op_id, result]));
    return sent.map((mutation): PushOutcome => {
      const result = byOperation.get(mutation.id);
      if (result === undefined) return { kind: "pending", mutation };
      if (result.applied) return { kind: "applied", mutation };
      return { kind: "failed", mutation, error: result.error ?? "refused" };
    });
  }
  return sent.map((mutation, position): PushOutcome => {
    if (position < response.applied) return { kind: "applied", mutation };
    const error = response.errors[position - response.applied];
    return error === undefined ? { kind: "pending", mutation } : { kind: "failed", mutation, error };
  });
}
