/**
 * The replica and the write queue in AsyncStorage.
 *
 *     pylon-replica:<app>/owner, /cursor, /aliases
 *     pylon-replica:<app>/rows/<chunk>/<entity>         up to 64 rows
 *     pylon-replica:<app>/queue/<position>/<id>         one queued write
 *
 * The storage knows no transactions, so order makes a crash harmless: rows are down before the cursor that stands for
 * them, the cursor is gone before the rows are, and while the replica changes hands it is nobody's. The prefix is one
 * that the bridge of the session does not read.
 */

import { getAppName, type Row, type SyncCursor } from "@pylonsync/react";
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
import { type AsyncStorage, deviceStorage } from "./asyncStorage.ts";
import { RowChunks } from "./rowChunks.ts";
import { aliasesOf, cursorOf, isPendingMutation, ownerOf, parsed, rowsOf } from "./savedJson.ts";

/** Values read in one call. */
const READ_AT_ONCE = 32;
/** As many as the engine remembers. */
const ALIASES_MAX = 10_000;
const POSITION_DIGITS = 12;

/** One engine at a time may use it. `device` is asked for when the engine starts. */
export function createAsyncStorageReplica(
  appName: string = getAppName(),
  device: () => Promise<AsyncStorage> = deviceStorage,
): ReplicaPersistence {
  return new AsyncStorageReplica(new Drawer(`pylon-replica:${encodeURIComponent(appName)}/`, device));
}

/** The keys under one prefix. */
class Drawer {
  readonly #prefix: string;
  readonly #device: () => Promise<AsyncStorage>;
  #storage: Promise<AsyncStorage> | null = null;

  constructor(prefix: string, device: () => Promise<AsyncStorage>) {
    this.#prefix = prefix;
    this.#device = device;
  }

  async get(key: string): Promise<unknown> {
    return parsed(await (await this.#open()).getItem(this.#prefix + key));
  }

  async set(key: string, value: unknown): Promise<void> {
    await this.setText(key, JSON.stringify(value));
  }

  async setText(key: string, text: string): Promise<void> {
    await (await this.#open()).setItem(this.#prefix + key, text);
  }

  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await (await this.#open()).multiRemove(keys.map((key) => this.#prefix + key));
  }

  /** The keys that start with `folder`, in order. */
  async keys(folder: string): Promise<string[]> {
    const keys = await (await this.#open()).getAllKeys();
    const start = this.#prefix + folder;
    return keys.filter((key) => key.startsWith(start)).map((key) => key.slice(this.#prefix.length)).sort();
  }

  async *values(keys: readonly string[]): AsyncGenerator<[key: string, value: unknown], void> {
    const storage = await this.#open();
    for (let from = 0; from < keys.length; from += READ_AT_ONCE) {
      const some = keys.slice(from, from + READ_AT_ONCE).map((key) => this.#prefix + key);
      for (const [key, text] of await storage.multiGet(some)) yield [key.slice(this.#prefix.length), parsed(text)];
    }
  }

  #open(): Promise<AsyncStorage> {
    return (this.#storage ??= this.#device());
  }
}

class AsyncStorageReplica implements ReplicaPersistence, SharedReplicaPersistence {
  readonly mutations: MutationQueuePersistence;
  readonly shared: SharedReplicaPersistence = this;
  readonly #drawer: Drawer;
  #chunks = new RowChunks();

  constructor(drawer: Drawer) {
    this.#drawer = drawer;
    this.mutations = new AsyncStorageQueue(drawer);
  }

  async loadOwner(): Promise<ReplicaOwner | null> {
    return ownerOf(await this.#drawer.get("owner"));
  }

  renewOwner(owner: ReplicaOwner): Promise<void> {
    return this.#drawer.set("owner", owner);
  }

  async assign(owner: ReplicaOwner): Promise<void> {
    await this.#drawer.remove(["owner"]);
    await this.reset();
    await this.renewOwner(owner);
  }

  async reset(): Promise<void> {
    await this.saveCursor({ last_seq: 0 });
    await this.clear();
  }

  async clear(): Promise<void> {
    this.#chunks = new RowChunks();
    await this.#drawer.remove(await this.#drawer.keys("rows/"));
  }

  async loadAllEntities(): Promise<Record<string, Row[]>> {
    const chunks = new RowChunks();
    for await (const [key, value] of this.#drawer.values(await this.#drawer.keys("rows/"))) {
      const [number = "", entity = ""] = key.split("/").slice(1);
      chunks.load(decodeURIComponent(entity), Number.parseInt(number, 10), rowsOf(value));
    }
    this.#chunks = chunks;
    return chunks.entities();
  }

  async loadCursor(): Promise<SyncCursor | null> {
    return { last_seq: cursorOf(await this.#drawer.get("cursor")) };
  }

  saveCursor(cursor: SyncCursor): Promise<void> {
    return this.#drawer.set("cursor", cursor.last_seq);
  }

  saveChange(change: ChangeEvent): Promise<void> {
    return this.#saveRows([change]);
  }

  async saveBatch({ changes, from, to }: ChangeBatch): Promise<void> {
    await this.#saveRows(changes);
    if (to !== from) await this.saveCursor({ last_seq: to });
  }

  async #saveRows(changes: readonly ChangeEvent[]): Promise<void> {
    for (const { entity, row_id, kind, data } of changes) {
      if (kind === "delete") this.#chunks.remove(entity, row_id);
      else this.#chunks.put(entity, row_id, data ?? {});
    }
    for (const { entity, number, text } of this.#chunks.takeWrites()) {
      const key = `rows/${digits(number)}/${encodeURIComponent(entity)}`;
      if (text === null) await this.#drawer.remove([key]);
      else await this.#drawer.setText(key, text);
    }
  }
}

class AsyncStorageQueue implements MutationQueuePersistence, SharedQueuePersistence {
  readonly shared: SharedQueuePersistence = this;
  readonly #drawer: Drawer;
  /** The keys of the entries that are saved, by their ids; null before they were read. */
  #keys: Map<string, string> | null = null;
  #end = 0;

  constructor(drawer: Drawer) {
    this.#drawer = drawer;
  }

  async loadAll(): Promise<PendingMutation[]> {
    const mutations: PendingMutation[] = [];
    for await (const [, value] of this.#drawer.values([...(await this.#loadKeys()).values()])) {
      if (isPendingMutation(value)) mutations.push(value);
    }
    return mutations;
  }

  async saveAll(mutations: PendingMutation[]): Promise<void> {
    const kept = new Set(mutations.map(({ id }) => id));
    const remove = [...(await this.#loadKeys()).keys()].filter((id) => !kept.has(id));
    await this.saveDelta({ put: mutations, remove, aliases: [] });
  }

  /** Ids first, then what refers to them, and only then goes what the server has: sent twice, it is applied once. */
  async saveDelta({ put, remove, aliases }: QueueDelta): Promise<void> {
    const keys = await this.#loadKeys();
    if (aliases.length > 0) {
      const known = await this.loadAliases();
      await this.#drawer.set("aliases", [...known, ...aliases].slice(-ALIASES_MAX));
    }
    for (const entry of put) {
      const key = keys.get(entry.id) ?? `queue/${digits(this.#end++)}/${encodeURIComponent(entry.id)}`;
      keys.set(entry.id, key);
      await this.#drawer.set(key, entry);
    }
    await this.#drawer.remove(remove.flatMap((id) => keys.get(id) ?? []));
    for (const id of remove) keys.delete(id);
  }

  async loadAliases(): Promise<Alias[]> {
    return aliasesOf(await this.#drawer.get("aliases"));
  }

  async #loadKeys(): Promise<Map<string, string>> {
    if (this.#keys !== null) return this.#keys;
    const keys = await this.#drawer.keys("queue/");
    this.#end = 1 + Number.parseInt(keys.at(-1)?.split("/")[1] ?? "-1", 10);
    return (this.#keys = new Map(keys.map((key) => [decodeURIComponent(key.split("/")[2] ?? ""), key])));
  }
}

/** Numbers whose order as texts is their order as numbers. */
function digits(number: number): string {
  return String(number).padStart(POSITION_DIGITS, "0");
}
