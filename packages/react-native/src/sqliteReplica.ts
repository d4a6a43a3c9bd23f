/**
 * The replica and the write queue in SQLite, through the interface of expo-sqlite.
 *
 * Tables: `pylon_rows` (entity, row_id, data), `pylon_notes` (cursor, owner, aliases), `pylon_queue` (id, position,
 * entry). A batch of rows and its cursor are one transaction. The database should be the replica's own: a statement that
 * others run on the same connection meanwhile would fall into our transaction.
 */

import type { Row, SyncCursor } from "@pylonsync/react";
import type {
  Alias,
  ChangeBatch,
  ChangeEvent,
  MutationQueuePersistence,
  PendingMutation,
  QueueDelta,
  ReplicaOwner,
  ReplicaPersistence,
  SharedQueuePersistence,
  SharedReplicaPersistence,
} from "@pylonsync/sync";
import { aliasesOf, cursorOf, isPendingMutation, isRow, ownerOf, parsed } from "./savedJson.ts";

/** The part of expo-sqlite's `SQLiteDatabase` that is used. */
export interface SQLiteDatabase {
  execAsync(source: string): Promise<void>;
  runAsync(source: string, params: (string | number | null)[]): Promise<unknown>;
  getAllAsync<T>(source: string, params: (string | number | null)[]): Promise<T[]>;
  withTransactionAsync(task: () => Promise<void>): Promise<void>;
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS pylon_rows (
    entity TEXT NOT NULL, row_id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (entity, row_id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pylon_notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pylon_queue (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, entry TEXT NOT NULL
  );
`;

/** As many rows as one statement takes: one call into the database for all of them, and not too long a text. */
const ROWS_AT_ONCE = 500;
/** As many as the engine remembers. */
const ALIASES_MAX = 10_000;

/** One engine at a time may use it. */
export function createExpoSQLiteReplica(database: SQLiteDatabase): ReplicaPersistence {
  return new SQLiteReplica(new Connection(database));
}

/** The database, one step after another: on one connection, a step begun meanwhile would join the transaction. */
class Connection {
  readonly #database: SQLiteDatabase;
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: SQLiteDatabase) {
    this.#database = database;
  }

  open(): Promise<void> {
    return this.#next(() => this.#database.execAsync(SCHEMA));
  }

  all<T>(sql: string, ...params: (string | number)[]): Promise<T[]> {
    return this.#next(() => this.#database.getAllAsync<T>(sql, params));
  }

  async note(name: string): Promise<unknown> {
    const [row] = await this.all<{ value: string }>("SELECT value FROM pylon_notes WHERE name = ?", name);
    return parsed(row?.value);
  }

  /** All of it or nothing. `write` uses what it is given and nothing else of this class. */
  write(write: (statements: Statements) => Promise<void>): Promise<void> {
    const statements = new Statements(this.#database);
    return this.#next(() => this.#database.withTransactionAsync(() => write(statements)));
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** What runs inside a transaction. */
class Statements {
  readonly #database: SQLiteDatabase;

  constructor(database: SQLiteDatabase) {
    this.#database = database;
  }

  async run(sql: string, ...params: (string | number)[]): Promise<void> {
    await this.#database.runAsync(sql, params);
  }

  async note(name: string, value: unknown): Promise<void> {
    await this.run("INSERT OR REPLACE INTO pylon_notes (name, value) VALUES (?, ?)", name, JSON.stringify(value));
  }

  async empty(): Promise<void> {
    await this.run("DELETE FROM pylon_rows");
    await this.run("DELETE FROM pylon_notes WHERE name = 'cursor'");
  }

  async saveRows(changes: readonly ChangeEvent[]): Promise<void> {
    for (let from = 0; from < changes.length; from += ROWS_AT_ONCE) {
      const some = changes.slice(from, from + ROWS_AT_ONCE);
      const put = some.filter(({ kind }) => kind !== "delete");
      const gone = some.filter(({ kind }) => kind === "delete");
      await this.run(
        `INSERT OR REPLACE INTO pylon_rows (entity, row_id, data)
         SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)`,
        JSON.stringify(put.map(({ entity, row_id, data }) => [entity, row_id, JSON.stringify(data ?? {})])),
      );
      await this.run(
        `DELETE FROM pylon_rows WHERE (entity, row_id) IN
         (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))`,
        JSON.stringify(gone.map(({ entity, row_id }) => [entity, row_id])),
      );
    }
  }
}

class SQLiteReplica implements ReplicaPersistence, SharedReplicaPersistence {
  readonly mutations: MutationQueuePersistence;
  readonly shared: SharedReplicaPersistence = this;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.mutations = new SQLiteQueue(connection);
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  async loadOwner(): Promise<ReplicaOwner | null> {
    return ownerOf(await this.#connection.note("owner"));
  }

  renewOwner(owner: ReplicaOwner): Promise<void> {
    return this.#connection.write((statements) => statements.note("owner", owner));
  }

  assign(owner: ReplicaOwner): Promise<void> {
    return this.#connection.write(async (statements) => {
      await statements.empty();
      await statements.note("owner", owner);
    });
  }

  reset(): Promise<void> {
    return this.clear();
  }

  clear(): Promise<void> {
    return this.#connection.write((statements) => statements.empty());
  }

  async loadAllEntities(): Promise<Record<string, Row[]>> {
    const records = await this.#connection.all<{ entity: string; row_id: string; data: string }>(
      "SELECT entity, row_id, data FROM pylon_rows",
    );
    const entities = new Map<string, Row[]>();
    for (const { entity, row_id, data } of records) {
      const row = parsed(data);
      if (!isRow(row)) continue;
      const rows = entities.get(entity) ?? [];
      entities.set(entity, rows);
      rows.push({ ...row, id: row_id });
    }
    return Object.fromEntries(entities);
  }

  async loadCursor(): Promise<SyncCursor | null> {
    return { last_seq: cursorOf(await this.#connection.note("cursor")) };
  }

  saveCursor(cursor: SyncCursor): Promise<void> {
    return this.#connection.write((statements) => statements.note("cursor", cursor.last_seq));
  }

  saveChange(change: ChangeEvent): Promise<void> {
    return this.#connection.write((statements) => statements.saveRows([change]));
  }

  saveBatch({ changes, from, to }: ChangeBatch): Promise<void> {
    return this.#connection.write(async (statements) => {
      await statements.saveRows(changes);
      if (to !== from) await statements.note("cursor", to);
    });
  }
}

class SQLiteQueue implements MutationQueuePersistence, SharedQueuePersistence {
  readonly shared: SharedQueuePersistence = this;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async loadAll(): Promise<PendingMutation[]> {
    const records = await this.#connection.all<{ entry: string }>("SELECT entry FROM pylon_queue ORDER BY position");
    return records.map(({ entry }) => parsed(entry)).filter(isPendingMutation);
  }

  saveAll(mutations: PendingMutation[]): Promise<void> {
    return this.#connection.write(async (statements) => {
      await statements.run("DELETE FROM pylon_queue");
      for (const entry of mutations) await putEntry(statements, entry);
    });
  }

  async saveDelta({ put, remove, aliases }: QueueDelta): Promise<void> {
    const known = aliases.length === 0 ? [] : await this.loadAliases();
    await this.#connection.write(async (statements) => {
      for (const entry of put) await putEntry(statements, entry);
      for (const id of remove) await statements.run("DELETE FROM pylon_queue WHERE id = ?", id);
      if (aliases.length > 0) await statements.note("aliases", [...known, ...aliases].slice(-ALIASES_MAX));
    });
  }

  async loadAliases(): Promise<Alias[]> {
    return aliasesOf(await this.#connection.note("aliases"));
  }
}

/** An entry that is there already keeps its position. */
function putEntry(statements: Statements, entry: PendingMutation): Promise<void> {
  return statements.run(
    "INSERT INTO pylon_queue (id, entry) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET entry = excluded.entry",
    entry.id,
    JSON.stringify(entry),
  );
}
