/**
 * The replica on disk: what an implementation must offer, and the order that makes a crash harmless.
 *
 * Writes run one after another, so rows are down before the cursor that stands for them: a reload may see
 * events again but never misses one. After a failed write nothing more is written, for the same reason, and the
 * replica goes on in memory. No implementation of `ReplicaPersistence` is here yet.
 */

import type { MutationQueuePersistence } from "./mutations.ts";
import type { ChangeEvent, Row, SyncCursor } from "./protocol.ts";

export interface ReplicaPersistence {
  loadAllEntities(): Promise<Record<string, Row[]>>;
  /** Store the event's row, whole as it comes in `data`, or remove it for a delete. */
  saveChange(change: ChangeEvent): Promise<void>;
  loadCursor(): Promise<SyncCursor | null>;
  saveCursor(cursor: SyncCursor): Promise<void>;
  /** Remove all rows; the write queue stays. */
  clear(): Promise<void>;
  readonly mutations: MutationQueuePersistence;
}

export class DiskWriter {
  readonly #persistence: ReplicaPersistence;
  #last: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(persistence: ReplicaPersistence) {
    this.#persistence = persistence;
  }

  saveChange(change: ChangeEvent): Promise<void> {
    return this.#enqueue(() => this.#persistence.saveChange(change));
  }

  saveCursor(seq: number): Promise<void> {
    return this.#enqueue(() => this.#persistence.saveCursor({ last_seq: seq }));
  }

  clear(): Promise<void> {
    return this.#enqueue(() => this.#persistence.clear());
  }

  #enqueue(write: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(async () => {
      if (this.#failed) return;
      try {
        await write();
      } catch (error) {
        this.#failed = true;
        console.warn("pylon: the replica on disk is no longer kept up", error);
      }
    });
    return this.#last;
  }
}
