/**
 * The write queue on disk: the order of its writes, and what a queue that several tabs share needs.
 *
 * Reads and writes run one after another, so a reader sees all that was written before it asked, and nothing that
 * is written meanwhile is taken for missing. What could not be written (no room) is written with the next change;
 * until then the queue in memory is the one that counts. A disk that never takes it is given up in the end.
 */

import type { Alias } from "./aliases.ts";
import type { PendingMutation, QueueDelta } from "./mutations.ts";

/** Keeps the queue across reloads; `saveAll` replaces what was saved before. */
export interface MutationQueuePersistence {
  saveAll(mutations: PendingMutation[]): Promise<void>;
  loadAll(): Promise<PendingMutation[]>;
  /** For a queue that grows long, or that others write to as well: write what changed and leave the rest. */
  readonly shared?: SharedQueuePersistence | undefined;
}

export interface SharedQueuePersistence {
  /** One step: all of it or nothing. New entries go behind all others. */
  saveDelta(delta: QueueDelta): Promise<void>;
  loadAliases(): Promise<Alias[]>;
}

export interface SavedQueue {
  mutations: PendingMutation[];
  aliases: Alias[];
}

/** Writes that may fail one after another before no more are tried. */
export const WRITE_FAILURES_MAX = 100;

export class QueueWriter {
  readonly #persistence: MutationQueuePersistence;
  readonly #saved: () => void;
  readonly #failed: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  /** How many writes failed since the last one that did not. */
  #failures = 0;
  #writeDue = false;
  /** What a write that is still to come makes of entries; a read must not undo it. */
  readonly #unwritten = new Map<string, PendingMutation | null>();
  #deltas: QueueDelta[] = [];
  #snapshot: PendingMutation[] = [];

  constructor(persistence: MutationQueuePersistence, saved: () => void, failed: (error: unknown) => void) {
    this.#persistence = persistence;
    this.#saved = saved;
    this.#failed = failed;
  }

  /** Write a change of the queue, and with it all changes that wait for the disk. */
  write(delta: QueueDelta, entries: PendingMutation[]): void {
    if (this.#givenUp || delta.put.length + delta.remove.length + delta.aliases.length === 0) return;
    this.#snapshot = entries;
    for (const entry of delta.put) this.#unwritten.set(entry.id, entry);
    for (const id of delta.remove) this.#unwritten.set(id, null);
    this.#deltas.push(delta);
    if (this.#writeDue) return;
    this.#writeDue = true;
    void this.#enqueue(() => this.#writeAll());
  }

  /** Hand what is saved to `take`; not called when it cannot be read. */
  read(take: (saved: SavedQueue) => void): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#givenUp) return;
      const mutations = await this.#persistence.loadAll();
      const aliases = (await this.#persistence.shared?.loadAliases()) ?? [];
      // In one breath with `take`: what is queued from here on comes after it.
      take({ mutations: this.#withUnwritten(mutations), aliases });
    });
  }

  /** As `read`, for a queue that others write to; nothing for one that is ours alone. */
  readShared(take: (saved: SavedQueue) => void): Promise<void> {
    return this.#persistence.shared === undefined ? this.idle() : this.read(take);
  }

  idle(): Promise<void> {
    return this.#last;
  }

  /** Whether all that was written is on disk. */
  get upToDate(): boolean {
    return !this.#givenUp && this.#deltas.length === 0;
  }

  get #givenUp(): boolean {
    return this.#failures >= WRITE_FAILURES_MAX;
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(step).catch((error: unknown) => this.#failed(error));
    return this.#last;
  }

  async #writeAll(): Promise<void> {
    this.#writeDue = false;
    const delta = merged(this.#deltas.splice(0));
    try {
      await this.#save(delta);
    } catch (error) {
      this.#keep(delta);
      throw error;
    }
    this.#failures = 0;
    for (const entry of delta.put) if (this.#unwritten.get(entry.id) === entry) this.#unwritten.delete(entry.id);
    for (const id of delta.remove) if (this.#unwritten.get(id) === null) this.#unwritten.delete(id);
    this.#saved();
  }

  async #save(delta: QueueDelta): Promise<void> {
    const { shared } = this.#persistence;
    if (shared === undefined) await this.#persistence.saveAll(this.#snapshot);
    else await shared.saveDelta(delta);
  }

  /** Not written: it goes with the next write, in front of what came meanwhile. */
  #keep(delta: QueueDelta): void {
    this.#failures += 1;
    this.#deltas.unshift(delta);
    if (!this.#givenUp) return;
    this.#deltas = [];
    this.#unwritten.clear();
  }

  #withUnwritten(saved: readonly PendingMutation[]): PendingMutation[] {
    const known = new Set(saved.map(({ id }) => id));
    const present = saved.map((entry) => (this.#unwritten.has(entry.id) ? this.#unwritten.get(entry.id) : entry));
    const added = [...this.#unwritten].flatMap(([id, entry]) => (known.has(id) ? [] : [entry]));
    return [...present, ...added].filter((entry) => entry !== null && entry !== undefined);
  }
}

/** Deltas in order as one: the last word on each entry. */
function merged(deltas: readonly QueueDelta[]): QueueDelta {
  const entries = new Map<string, PendingMutation | null>();
  for (const { put, remove } of deltas) {
    for (const entry of put) entries.set(entry.id, entry);
    for (const id of remove) entries.set(id, null);
  }
  return {
    put: [...entries.values()].filter((entry) => entry !== null),
    remove: [...entries].flatMap(([id, entry]) => (entry === null ? [id] : [])),
    aliases: deltas.flatMap(({ aliases }) => aliases),
  };
}
