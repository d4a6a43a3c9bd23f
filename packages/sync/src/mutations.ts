/**
 * The offline write queue: what the user did and the server has not confirmed yet.
 *
 *     pending ──▶ applied ──clear()──▶ gone
 *        └──────▶ failed  ──remove()─▶ gone
 *
 * Order is the order of the user's actions and never changes. Each entry belongs to an owner (identity.ts), and
 * only the present owner's are seen; those of others wait, here and on disk, until it is their turn again.
 * Pending entries have no bound, because each is something a user did; failed ones wait for the app to `remove`
 * them, and beyond `FAILED_MAX` the oldest go. Knows no network: `push.ts` sends, `pushOutcomes` reads the answer.
 */

import { type Alias, Aliases } from "./aliases.ts";
import { systemIds } from "./environment.ts";
import { inherits } from "./identity.ts";
import type { Ids } from "./ids.ts";
import { Listeners } from "./listeners.ts";
import type { ClientChange, PushResponse } from "./protocol.ts";
import { type MutationQueuePersistence, QueueWriter } from "./queue-writer.ts";

export const FAILED_MAX = 1000;

export interface PendingMutation {
  id: string;
  change: ClientChange;
  status: "pending" | "applied" | "failed";
  error?: string | undefined;
  /** The server's code of the error, if it gave one. */
  code?: string | undefined;
  /** Whose it is; absent for a queue that knows no identities. */
  owner?: string | undefined;
  /** The client it is sent for: the server tells operations apart by user, client and operation id. */
  client_id?: string | undefined;
}

/** What another look at a shared queue found. */
export interface QueueNews {
  added: PendingMutation[];
  /** Sent, or taken away, by somebody else. */
  gone: PendingMutation[];
  /** Refused, or found to be of another owner. */
  withdrawn: PendingMutation[];
  aliases: Alias[];
}

/** Why the server refused a change. */
export interface WriteRefusal {
  error: string;
  code?: string | undefined;
}

export interface Settlement {
  applied: readonly string[];
  failed: ReadonlyMap<string, WriteRefusal>;
  /** Rows that the server stored under other ids. */
  aliases: readonly Alias[];
}

export class MutationQueue {
  readonly #ids: Ids;
  readonly #aliases: Aliases;
  readonly #clientId: string | undefined;
  readonly #listeners = new Listeners();
  #open: () => Promise<void> = () => Promise.resolve();
  #writer: QueueWriter | null = null;
  #entries: PendingMutation[] = [];
  #owner: string | undefined;

  constructor(
    persistence: MutationQueuePersistence | null = null,
    ids: Ids = systemIds(),
    aliases: Aliases = new Aliases(),
    clientId: string | undefined = undefined,
  ) {
    this.#ids = ids;
    this.#aliases = aliases;
    this.#clientId = clientId;
    if (persistence !== null) this.attachPersistence(persistence);
  }

  /** `saved` is called after each write that reached the disk, `failed` after each that did not. */
  attachPersistence(
    persistence: MutationQueuePersistence,
    saved: () => void = () => undefined,
    failed: (error: unknown) => void = (error) => console.warn("pylon: the write queue could not be saved", error),
  ): void {
    this.#writer = new QueueWriter(persistence, saved, failed);
  }

  /** Add saved mutations behind those already here. Resolves to the ones added; what cannot be read is none. */
  async hydrate(): Promise<PendingMutation[]> {
    let added: PendingMutation[] = [];
    await this.#writer?.read((saved) => {
      this.#aliases.add(saved.aliases);
      const known = new Set(this.#entries.map((entry) => entry.id));
      const here = this.#entries;
      added = saved.mutations.filter((entry) => !known.has(entry.id));
      this.#replace([...here, ...added], { put: here });
    });
    return added.filter((entry) => this.#mine(entry));
  }

  /** Wait until what was queued is saved, and take over what others who share the queue did to it. */
  async refresh(): Promise<QueueNews> {
    const news: QueueNews = { added: [], gone: [], withdrawn: [], aliases: [] };
    await this.#open();
    await this.#writer?.readShared((saved) => {
      const before = this.pending();
      this.#aliases.add(saved.aliases);
      this.#replace(saved.mutations, {});
      const after = this.pending();
      const known = new Set(saved.mutations.map(({ id }) => id));
      const lost = without(before, after);
      news.aliases = saved.aliases;
      news.added = without(after, before);
      news.gone = lost.filter(({ id }) => !known.has(id));
      news.withdrawn = lost.filter(({ id }) => known.has(id));
    });
    return news;
  }

  /** `open` attaches the persistence, if it has not yet: whoever waits for what was queued to be saved calls it. */
  openBy(open: () => Promise<void>): void {
    this.#open = open;
  }

  /** Wait until what was queued is saved, or cannot be; resolves to whether it outlives a reload. */
  async saved(): Promise<boolean> {
    await this.#open();
    await this.#writer?.idle();
    return this.#writer?.upToDate ?? false;
  }

  /** See and queue as `owner` from now on; entries that fall to it by `inherits` are its own. */
  changeOwner(owner: string): { hidden: PendingMutation[]; shown: PendingMutation[] } {
    const before = this.#owner;
    if (before === owner) return { hidden: [], shown: [] };
    const was = this.pending();
    this.#owner = owner;
    if (before !== undefined && inherits(before, owner)) {
      const put = this.#entries.filter((entry) => entry.owner === before).map((entry) => ({ ...entry, owner }));
      this.#put(put);
    }
    const is = this.pending();
    // Others' entries came into sight or went out of it, also where none was written.
    this.#listeners.call();
    return { hidden: without(was, is), shown: without(is, was) };
  }

  /** Queue a change under a fresh operation id, which is also the id returned. */
  add(change: ClientChange): string {
    const id = this.#ids.operation();
    const entry: PendingMutation = {
      id,
      change: { ...this.#aliases.rewrite(change), op_id: id },
      status: "pending",
      owner: this.#owner,
      client_id: this.#clientId,
    };
    this.#replace([...this.#entries, entry], { put: [entry] });
    return id;
  }

  /** What is still to be sent, oldest first. */
  pending(): PendingMutation[] {
    return this.#entries.filter((entry) => entry.status === "pending" && this.#mine(entry));
  }

  /** What the server refused, oldest first. */
  failed(): PendingMutation[] {
    return this.#entries.filter((entry) => entry.status === "failed" && this.#mine(entry));
  }

  /** Take over an answer in one step: what was applied goes, and what is left names rows as the server does. */
  settle({ applied, failed, aliases }: Settlement): void {
    this.#aliases.add(aliases);
    const gone = new Set(applied);
    const put: PendingMutation[] = [];
    const entries = this.#entries
      .filter(({ id }) => !gone.has(id))
      .map((entry): PendingMutation => {
        const refusal = failed.get(entry.id);
        const change = aliases.length === 0 ? entry.change : this.#aliases.rewrite(entry.change);
        if (refusal === undefined && change === entry.change) return entry;
        const next: PendingMutation =
          refusal === undefined ? { ...entry, change } : { ...entry, change, status: "failed", ...refusal };
        put.push(next);
        return next;
      });
    const { kept, dropped } = withoutOldFailures(entries);
    this.#replace(kept, { put: put.filter(({ id }) => !dropped.has(id)), remove: [...gone, ...dropped], aliases });
  }

  markApplied(id: string): void {
    this.#put(this.#entries.filter((entry) => entry.id === id).map((entry) => ({ ...entry, status: "applied" })));
  }

  markFailed(id: string, error: string): void {
    this.settle({ applied: [], failed: new Map([[id, { error }]]), aliases: [] });
  }

  /** Drop what was applied. */
  clear(): void {
    const applied = this.#entries.filter((entry) => entry.status === "applied");
    if (applied.length > 0) this.#drop(applied.map(({ id }) => id));
  }

  /** Drop one, whatever its status; for a failure the user has seen. */
  remove(id: string): void {
    this.#drop([id]);
  }

  /** Call `listener` on every change of the queue; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  #mine(entry: PendingMutation): boolean {
    return entry.owner === this.#owner;
  }

  #put(put: readonly PendingMutation[]): void {
    if (put.length === 0) return;
    const changed = new Map(put.map((entry) => [entry.id, entry]));
    this.#replace(this.#entries.map((entry) => changed.get(entry.id) ?? entry), { put });
  }

  #drop(remove: readonly string[]): void {
    const gone = new Set(remove);
    this.#replace(this.#entries.filter((entry) => !gone.has(entry.id)), { remove });
  }

  #replace(entries: PendingMutation[], delta: Partial<QueueDelta>): void {
    this.#entries = entries;
    this.#writer?.write({ put: [], remove: [], aliases: [], ...delta }, entries);
    this.#listeners.call();
  }
}

/** Those of `entries` that are not among `others`. */
function without(entries: readonly PendingMutation[], others: readonly PendingMutation[]): PendingMutation[] {
  const known = new Set(others.map(({ id }) => id));
  return entries.filter(({ id }) => !known.has(id));
}

/** What to write of a changed queue. */
export interface QueueDelta {
  put: readonly PendingMutation[];
  remove: readonly string[];
  aliases: readonly Alias[];
}

function withoutOldFailures(entries: PendingMutation[]): { kept: PendingMutation[]; dropped: Set<string> } {
  const failed = entries.filter((entry) => entry.status === "failed");
  const dropped = new Set(failed.slice(0, Math.max(0, failed.length - FAILED_MAX)).map(({ id }) => id));
  return { kept: dropped.size === 0 ? entries : entries.filter(({ id }) => !dropped.has(id)), dropped };
}

export type PushOutcome =
  | { kind: "applied"; mutation: PendingMutation; rowId: string }
  | { kind: "failed"; mutation: PendingMutation; refusal: WriteRefusal }
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
      const rowId = result.row_id ?? mutation.change.row_id;
      if (result.applied) return { kind: "applied", mutation, rowId };
      const { error = "refused", code } = result;
      return { kind: "failed", mutation, refusal: { error, code } };
    });
  }
  return sent.map((mutation, position): PushOutcome => {
    if (position < response.applied) return { kind: "applied", mutation, rowId: mutation.change.row_id };
    const error = response.errors[position - response.applied];
    return error === undefined ? { kind: "pending", mutation } : { kind: "failed", mutation, refusal: { error } };
  });
}
