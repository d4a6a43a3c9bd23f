/**
 * The replica and the write queue in IndexedDB (contract 06 §2.5).
 *
 * Database `pylon_sync_<appName>`, version 2: rows in `entities`, the queue in `pendingMutations`, and in `cursors`
 * the cursor with, beside it, what several tabs must agree on: whose the replica is, which filling of it (the
 * generation, a new one whenever it is emptied), the place of the next queue entry, the ids that rows were given,
 * and who is pushing. Every check and the write it allows are one transaction, which the browser runs one after
 * another across tabs.
 */

import { type Alias, ALIASES_MAX } from "./aliases.ts";
import { Database, type Transaction } from "./database.ts";
import { parseOwner, type ReplicaOwner } from "./identity.ts";
import type { PendingMutation, QueueDelta } from "./mutations.ts";
import {
  type ChangeBatch,
  type ReplicaPersistence,
  ReplicaTakenError,
  type SharedReplicaPersistence,
} from "./persistence.ts";
import { type ChangeEvent, isRow, type Row, type SyncCursor } from "./protocol.ts";
import type { MutationQueuePersistence, SharedQueuePersistence } from "./queue-writer.ts";

/** The records of `cursors`. */
const CURSOR = "cursor";
const OWNER = "owner";
const QUEUE_END = "queue_end";
const ALIASES = "aliases";
const PUSHING = "pushing";

export class IndexedDBPersistence implements ReplicaPersistence, SharedReplicaPersistence {
  readonly mutations: IndexedDBMutationPersistence;
  readonly shared: SharedReplicaPersistence = this;
  readonly #database: Database;
  /** The filling of the replica that we know; writes are for no other. */
  #generation: unknown;

  constructor(appName = "default", factory: () => IDBFactory = () => globalThis.indexedDB) {
    this.#database = new Database(appName, factory);
    this.mutations = new IndexedDBMutationPersistence(this.#database);
  }

  get connection(): IDBDatabase | null {
    return this.#database.connection;
  }

  open(): Promise<void> {
    return this.#database.open();
  }

  close(): void {
    this.#database.close();
  }

  saveRow(entity: string, id: string, data: Row): Promise<void> {
    return this.#database.write(["entities"], "relaxed", async (transaction) =>
      transaction.put("entities", rowRecord(entity, id, data)),
    );
  }

  async getRow(entity: string, id: string): Promise<Row | null> {
    const record = await this.#database.read(["entities"], (transaction) =>
      transaction.get("entities", rowKey(entity, id)),
    );
    return record === null ? null : rowOf(record);
  }

  deleteRow(entity: string, id: string): Promise<void> {
    return this.#database.write(["entities"], "relaxed", async (transaction) =>
      transaction.delete("entities", rowKey(entity, id)),
    );
  }

  async loadAll(entity: string): Promise<Row[]> {
    return (await this.loadAllEntities())[entity] ?? [];
  }

  async loadAllEntities(): Promise<Record<string, Row[]>> {
    const records = await this.#database.read(["entities"], (transaction) => transaction.all("entities"));
    const entities = new Map<string, Row[]>();
    for (const record of records) {
      const row = rowOf(record);
      const entity = String(record["entity"]);
      const rows = entities.get(entity);
      if (row === null) continue;
      if (rows === undefined) entities.set(entity, [row]);
      else rows.push(row);
    }
    return Object.fromEntries(entities);
  }

  saveChange(change: ChangeEvent): Promise<void> {
    return this.#database.write(["entities"], "relaxed", async (transaction) => storeChange(transaction, change));
  }

  saveCursor(cursor: SyncCursor): Promise<void> {
    return this.#database.write(["cursors"], "relaxed", async (transaction) =>
      transaction.put("cursors", { key: CURSOR, last_seq: cursor.last_seq }),
    );
  }

  loadCursor(): Promise<SyncCursor | null> {
    return this.#database.read(["cursors"], async (transaction) => {
      const record = await transaction.get("cursors", CURSOR);
      return record === null ? null : { last_seq: seqOf(record) };
    });
  }

  reset(): Promise<void> {
    return this.clear();
  }

  /** Remove rows and cursor, unless the replica is no longer the one we know. */
  clear(): Promise<void> {
    return this.#database.write(["entities", "cursors"], "strict", async (transaction) => {
      const record = await transaction.get("cursors", OWNER);
      this.#requireOurs(record);
      this.#empty(transaction, record?.["owner"]);
    });
  }

  loadOwner(): Promise<ReplicaOwner | null> {
    return this.#database.read(["cursors"], async (transaction) => {
      const record = await transaction.get("cursors", OWNER);
      this.#generation = record?.["generation"];
      return parseOwner(record?.["owner"]);
    });
  }

  renewOwner(owner: ReplicaOwner): Promise<void> {
    return this.#database.write(["cursors"], "strict", async (transaction) => {
      this.#requireOurs(await transaction.get("cursors", OWNER));
      transaction.put("cursors", { key: OWNER, owner, generation: this.#generation });
    });
  }

  assign(owner: ReplicaOwner): Promise<void> {
    return this.#database.write(["entities", "cursors"], "strict", async (transaction) =>
      this.#empty(transaction, owner),
    );
  }

  /** Rows that another tab wrote at a later cursor are newer than ours and stay. */
  saveBatch({ changes, from, to }: ChangeBatch): Promise<void> {
    return this.#database.write(["entities", "cursors"], "relaxed", async (transaction) => {
      this.#requireOurs(await transaction.get("cursors", OWNER));
      const record = await transaction.get("cursors", CURSOR);
      const reached = record === null ? 0 : seqOf(record);
      if (reached < from) throw new ReplicaTakenError("the replica on disk is behind what was saved");
      for (const change of changes) {
        // Changes without a seq are what was in memory already; they are for a replica that nobody else took further.
        if (reached === from || change.seq > reached) storeChange(transaction, change);
      }
      if (to > reached) transaction.put("cursors", { key: CURSOR, last_seq: to });
    });
  }

  /** Let `holder` push until `untilMs`, unless somebody else does. */
  takePushing(holder: string, nowMs: number, untilMs: number): Promise<boolean> {
    return this.#database.write(["cursors"], "relaxed", async (transaction) => {
      const record = await transaction.get("cursors", PUSHING);
      const held = record !== null && record["holder"] !== holder && Number(record["until"]) > nowMs;
      if (!held) transaction.put("cursors", { key: PUSHING, holder, until: untilMs });
      return !held;
    });
  }

  dropPushing(holder: string): Promise<void> {
    return this.#database.write(["cursors"], "relaxed", async (transaction) => {
      const record = await transaction.get("cursors", PUSHING);
      if (record?.["holder"] === holder) transaction.delete("cursors", PUSHING);
    });
  }

  #requireOurs(record: Row | null): void {
    if (record?.["generation"] !== this.#generation) throw new ReplicaTakenError("the replica was emptied by others");
  }

  #empty(transaction: Transaction, owner: unknown): void {
    this.#generation = globalThis.crypto.getRandomValues(new Uint32Array(4)).join("-");
    transaction.clear("entities");
    transaction.delete("cursors", CURSOR);
    transaction.put("cursors", { key: OWNER, owner, generation: this.#generation });
  }
}

/** The write queue; entries keep the order in which they were first saved, whoever saved them. */
export class IndexedDBMutationPersistence implements MutationQueuePersistence, SharedQueuePersistence {
  readonly shared: SharedQueuePersistence = this;
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  saveAll(mutations: PendingMutation[]): Promise<void> {
    return this.#database.write(["pendingMutations", "cursors"], "strict", async (transaction) => {
      transaction.clear("pendingMutations");
      mutations.forEach((entry, order) => transaction.put("pendingMutations", { ...entry, order }));
      transaction.put("cursors", { key: QUEUE_END, order: mutations.length });
    });
  }

  async loadAll(): Promise<PendingMutation[]> {
    const records = await this.#database.read(["pendingMutations"], (transaction) =>
      transaction.all("pendingMutations"),
    );
    return records
      .sort((a, b) => Number(a["order"] ?? 0) - Number(b["order"] ?? 0))
      .map(({ order: _, ...entry }): unknown => entry)
      .filter(isPendingMutation);
  }

  saveDelta({ put, remove, aliases }: QueueDelta): Promise<void> {
    return this.#database.write(["pendingMutations", "cursors"], "strict", async (transaction) => {
      const saved = await Promise.all(put.map(({ id }) => transaction.get("pendingMutations", id)));
      let end = Number((await transaction.get("cursors", QUEUE_END))?.["order"] ?? 0);
      put.forEach((entry, i) => {
        transaction.put("pendingMutations", { ...entry, order: saved[i]?.["order"] ?? end++ });
      });
      for (const id of remove) transaction.delete("pendingMutations", id);
      transaction.put("cursors", { key: QUEUE_END, order: end });
      if (aliases.length === 0) return;
      const known = aliasesOf(await transaction.get("cursors", ALIASES));
      transaction.put("cursors", { key: ALIASES, aliases: [...known, ...aliases].slice(-ALIASES_MAX) });
    });
  }

  loadAliases(): Promise<Alias[]> {
    return this.#database.read(["cursors"], async (transaction) => aliasesOf(await transaction.get("cursors", ALIASES)));
  }
}

/** Store an event as it comes: insert and update overwrite the row with `data`, delete removes it. */
export function persistChange(persistence: IndexedDBPersistence, change: ChangeEvent): Promise<void> {
  return persistence.saveChange(change);
}

function rowKey(entity: string, id: string): string {
  return `${entity}:${id}`;
}

function rowRecord(entity: string, id: string, data: Row): Row {
  return { _key: rowKey(entity, id), entity, id, data };
}

function rowOf(record: Row): Row | null {
  return isRow(record["data"]) ? { ...record["data"], id: record["id"] } : null;
}

function storeChange(transaction: Transaction, { entity, row_id, kind, data }: ChangeEvent): void {
  if (kind === "delete") transaction.delete("entities", rowKey(entity, row_id));
  else transaction.put("entities", rowRecord(entity, row_id, data ?? {}));
}

function seqOf(record: Row): number {
  return typeof record["last_seq"] === "number" ? record["last_seq"] : 0;
}

function isPendingMutation(value: unknown): value is PendingMutation {
  return isRow(value) && typeof value["id"] === "string" && isRow(value["change"]) && "status" in value;
}

function isAlias(value: unknown): value is Alias {
  return isRow(value) && ["entity", "temporary", "row_id"].every((member) => typeof value[member] === "string");
}

function aliasesOf(record: Row | null): Alias[] {
  const aliases = record?.["aliases"];
  return Array.isArray(aliases) ? aliases.filter(isAlias) : [];
}
