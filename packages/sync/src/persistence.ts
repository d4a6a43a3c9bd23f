/**
 * The replica on disk: what an implementation must offer, and the order that makes a crash harmless.
 *
 * Rows are down before the cursor that stands for them: a reload may see events again but never misses one. While
 * one write runs, what comes next is gathered and written in one go. After a failed write nothing more is written,
 * and the replica goes on in memory.
 */

import type { ReplicaOwner } from "./identity.ts";
import type { ChangeEvent, Row, SyncCursor } from "./protocol.ts";
import type { MutationQueuePersistence } from "./queue-writer.ts";

export interface ReplicaPersistence {
  /** Called first, once; a rejection leaves the engine in memory. */
  open?(): Promise<void>;
  loadAllEntities(): Promise<Record<string, Row[]>>;
  /** Store the event's row, whole as it comes in `data`, or remove it for a delete. */
  saveChange(change: ChangeEvent): Promise<void>;
  loadCursor(): Promise<SyncCursor | null>;
  saveCursor(cursor: SyncCursor): Promise<void>;
  /** Remove all rows; the write queue stays. */
  clear(): Promise<void>;
  readonly mutations: MutationQueuePersistence;
  /** For a database that several engines use: changes in one step each, and only while the replica is ours. */
  readonly shared?: SharedReplicaPersistence | undefined;
}

export interface SharedReplicaPersistence {
  loadOwner(): Promise<ReplicaOwner | null>;
  /** The same identity with another token: the rows stay. */
  renewOwner(owner: ReplicaOwner): Promise<void>;
  /** Empty the replica, whosoever it was, and make it `owner`'s and ours. */
  assign(owner: ReplicaOwner): Promise<void>;
  /** Empty the replica and go back to cursor 0. Rejects as `saveBatch` does. */
  reset(): Promise<void>;
  /** Write a batch in one step. Rejects with `ReplicaTakenError` when others have emptied the replica since. */
  saveBatch(batch: ChangeBatch): Promise<void>;
}

/** Rows as they are at cursor `to`, for a replica on disk that has reached `from` or more. */
export interface ChangeBatch {
  changes: readonly ChangeEvent[];
  from: number;
  to: number;
}

/** Another engine emptied the replica on disk or gave it to another identity; it is no longer ours to write. */
export class ReplicaTakenError extends Error {
  override readonly name = "ReplicaTakenError";
}

export class ReplicaWriter {
  readonly #shared: SharedReplicaPersistence;
  readonly #failed: (error: unknown) => void;
  readonly #taken: () => void;
  #last: Promise<void> = Promise.resolve();
  /** Whether what the engine applies goes to disk. */
  #attached = false;
  #broken = false;
  #staged = new Map<string, ChangeEvent>();
  #from = 0;
  #to = 0;
  #flushing: Promise<void> | null = null;

  /** `taken` is called when others emptied the replica on disk: nothing is written from then on. */
  constructor(shared: SharedReplicaPersistence, failed: (error: unknown) => void, taken: () => void) {
    this.#shared = shared;
    this.#failed = failed;
    this.#taken = taken;
  }

  get attached(): boolean {
    return this.#attached && !this.#broken;
  }

  /** Run a step behind all writes so far; null when the disk cannot be used. */
  async step<T>(action: () => Promise<T>): Promise<T | null> {
    let result: T | null = null;
    await this.#enqueue(async () => void (result = await action()));
    return result;
  }

  /** Write from now on what is applied to a replica that is on disk up to `cursor`. */
  attach(cursor: number): void {
    this.#staged.clear();
    this.#from = this.#to = cursor;
    this.#attached = true;
  }

  detach(): void {
    this.#attached = false;
    this.#staged.clear();
  }

  /** Make the disk hold just `rows`, at `cursor`, for `owner`. */
  async replace(owner: ReplicaOwner, rows: readonly ChangeEvent[], cursor: number): Promise<void> {
    this.attach(0);
    void this.#enqueue(() => this.#shared.assign(owner));
    for (const row of rows) void this.saveChange(row);
    await this.saveCursor(cursor);
  }

  /** Resolves once the change is on disk. */
  saveChange(change: ChangeEvent): Promise<void> {
    if (!this.attached) return Promise.resolve();
    this.#staged.set(`${change.entity}:${change.row_id}`, change);
    return this.#flush();
  }

  saveCursor(seq: number): Promise<void> {
    if (!this.attached) return Promise.resolve();
    this.#to = seq;
    return this.#flush();
  }

  /** Empty the replica on disk, if it is still ours. */
  clear(): Promise<void> {
    if (!this.attached) return Promise.resolve();
    this.attach(0);
    return this.#enqueue(() => this.#shared.reset());
  }

  /** One write is under way at most, and one gathers behind it. */
  #flush(): Promise<void> {
    return (this.#flushing ??= this.#enqueue(async () => {
      this.#flushing = null;
      if (!this.#attached) return;
      const batch = { changes: [...this.#staged.values()], from: this.#from, to: this.#to };
      this.#staged.clear();
      this.#from = this.#to;
      await this.#shared.saveBatch(batch);
    }));
  }

  #enqueue(write: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(async () => {
      if (this.#broken) return;
      try {
        await write();
      } catch (error) {
        if (error instanceof ReplicaTakenError) {
          this.detach();
          this.#taken();
        } else {
          this.#broken = true;
          this.#failed(error);
        }
      }
    });
    return this.#last;
  }
}
