/**
 * Places for a replica besides IndexedDB: the two that apps on devices have, a SQLite file and a key-value store.
 * Both classes are examples, short because the engine asks for little.
 */

import { Database } from "bun:sqlite";
import { IDBFactory } from "fake-indexeddb";

import {
  type ChangeEvent,
  IndexedDBPersistence,
  type MutationQueuePersistence,
  type PendingMutation,
  type ReplicaPersistence,
  type Row,
  type SyncCursor,
} from "../src/index.ts";
import { replicaPersistenceConformance } from "./persistence-conformance.ts";
import { calm } from "./world.ts";

/** As with `expo-sqlite`, whose functions have the names of their results in place of `query`. */
class SqlitePersistence implements ReplicaPersistence {
  readonly mutations: MutationQueuePersistence;
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    this.mutations = {
      async saveAll(mutations) {
        db.transaction(() => {
          db.run("DELETE FROM mutations");
          for (const entry of mutations) db.run("INSERT INTO mutations (payload) VALUES (?)", [JSON.stringify(entry)]);
        })();
      },
      async loadAll() {
        const records = db.query<{ payload: string }, []>("SELECT payload FROM mutations ORDER BY position").all();
        return records.map(({ payload }) => JSON.parse(payload) as PendingMutation);
      },
    };
  }

  async open(): Promise<void> {
    this.#db.run("CREATE TABLE IF NOT EXISTS rows (entity TEXT, id TEXT, data TEXT, PRIMARY KEY (entity, id))");
    this.#db.run("CREATE TABLE IF NOT EXISTS cursors (key TEXT PRIMARY KEY, last_seq INTEGER)");
    this.#db.run("CREATE TABLE IF NOT EXISTS mutations (position INTEGER PRIMARY KEY, payload TEXT)");
  }

  async loadAllEntities(): Promise<Record<string, Row[]>> {
    const records = this.#db.query<{ entity: string; data: string }, []>("SELECT entity, data FROM rows").all();
    return byEntity(records);
  }

  async saveChange({ entity, row_id, kind, data }: ChangeEvent): Promise<void> {
    if (kind === "delete") this.#db.run("DELETE FROM rows WHERE entity = ? AND id = ?", [entity, row_id]);
    else this.#db.run("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", [entity, row_id, JSON.stringify(data)]);
  }

  async loadCursor(): Promise<SyncCursor | null> {
    return this.#db.query<SyncCursor, []>("SELECT last_seq FROM cursors").get();
  }

  async saveCursor({ last_seq }: SyncCursor): Promise<void> {
    this.#db.run("INSERT OR REPLACE INTO cursors VALUES ('cursor', ?)", [last_seq]);
  }

  async clear(): Promise<void> {
    this.#db.run("DELETE FROM rows");
  }
}

/** The part of AsyncStorage that it needs. */
interface KeyValueStore {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, value: string): Promise<void>;
  removeItem(key: string): Promise<void>;
  getAllKeys(): Promise<readonly string[]>;
}

class KeyValuePersistence implements ReplicaPersistence {
  readonly mutations: MutationQueuePersistence;
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
    this.mutations = {
      saveAll: (mutations) => store.setItem("replica:queue", JSON.stringify(mutations)),
      loadAll: async () => JSON.parse((await store.getItem("replica:queue")) ?? "[]") as PendingMutation[],
    };
  }

  async loadAllEntities(): Promise<Record<string, Row[]>> {
    const records: { entity: string; data: string }[] = [];
    for (const key of await this.#rowKeys()) {
      const [entity = ""] = JSON.parse(key.slice("replica:row:".length)) as string[];
      records.push({ entity, data: (await this.#store.getItem(key)) ?? "{}" });
    }
    return byEntity(records);
  }

  saveChange({ entity, row_id, kind, data }: ChangeEvent): Promise<void> {
    const key = `replica:row:${JSON.stringify([entity, row_id])}`;
    return kind === "delete" ? this.#store.removeItem(key) : this.#store.setItem(key, JSON.stringify(data));
  }

  async loadCursor(): Promise<SyncCursor | null> {
    return JSON.parse((await this.#store.getItem("replica:cursor")) ?? "null") as SyncCursor | null;
  }

  saveCursor(cursor: SyncCursor): Promise<void> {
    return this.#store.setItem("replica:cursor", JSON.stringify(cursor));
  }

  async clear(): Promise<void> {
    for (const key of await this.#rowKeys()) await this.#store.removeItem(key);
  }

  async #rowKeys(): Promise<string[]> {
    return (await this.#store.getAllKeys()).filter((key) => key.startsWith("replica:row:"));
  }
}

function keyValueStore(): KeyValueStore {
  const values = new Map<string, string>();
  return {
    getItem: async (key) => values.get(key) ?? null,
    setItem: async (key, value) => void values.set(key, value),
    removeItem: async (key) => void values.delete(key),
    getAllKeys: async () => [...values.keys()],
  };
}

function byEntity(records: readonly { entity: string; data: string }[]): Record<string, Row[]> {
  const entities: Record<string, Row[]> = {};
  for (const { entity, data } of records) (entities[entity] ??= []).push(JSON.parse(data) as Row);
  return entities;
}

replicaPersistenceConformance("a SQLite file", () => {
  const db = new Database(":memory:");
  return { persistence: () => new SqlitePersistence(db) };
});

replicaPersistenceConformance("a key-value store", () => {
  const store = keyValueStore();
  return { persistence: () => new KeyValuePersistence(store) };
});

replicaPersistenceConformance(
  "IndexedDB",
  () => {
    const factory = new IDBFactory();
    return { persistence: () => new IndexedDBPersistence("default", () => factory) };
  },
  calm,
);
