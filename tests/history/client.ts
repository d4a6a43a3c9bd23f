/**
 * The published sync engine as a process: `bun run client.ts <folder> <port> <token>`.
 *
 * Commands come in and observations go out as lines of JSON (see clients.py). What the engine hears is told by the
 * `fetch` and the `WebSocket` it is given, before the engine has it; the engine itself is as apps import it. Its
 * replica and queue are in an SQLite file, so a killed client comes back with both.
 */

import { Database } from "bun:sqlite";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import {
  type ChangeEvent,
  type ClientChange,
  type Environment,
  type MutationQueuePersistence,
  type PendingMutation,
  type ReplicaPersistence,
  type Row,
  type Storage,
  type SyncCursor,
  SyncEngine,
} from "../../packages/sync/src/index.ts";

const ENTITIES = ["Entry", "Register", "Doc", "Counter", "Bump"];
const CURSOR = "cursor";

type Message = Record<string, unknown>;

/** Written at once: a kill leaves at most the last line cut short, and nothing that was acted upon untold. */
function say(message: Message): void {
  let bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

/** Replica, queue and settings in one file. Like IndexedDB of a page that is killed, not of one that loses power. */
class FilePersistence implements ReplicaPersistence, MutationQueuePersistence {
  readonly mutations: MutationQueuePersistence = this;
  readonly storage: Storage;
  /** Resolves once the engine has read the queue, behind which its own saving begins. */
  readonly queueLoaded: Promise<void>;
  readonly #database: Database;
  #loaded: () => void = () => undefined;

  constructor(path: string) {
    this.#database = new Database(path, { create: true });
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS rows (entity TEXT, id TEXT, data TEXT, PRIMARY KEY (entity, id));
      CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
      CREATE TABLE IF NOT EXISTS queue (place INTEGER PRIMARY KEY, entry TEXT);
    `);
    this.queueLoaded = new Promise((resolve) => (this.#loaded = resolve));
    this.storage = {
      get: (name) => this.#fact(name),
      set: (name, value) => this.#database.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value]),
      remove: (name) => this.#database.run("DELETE FROM facts WHERE name = ?", [name]),
    };
  }

  async loadAllEntities(): Promise<Record<string, Row[]>> {
    const entities: Record<string, Row[]> = {};
    const found = this.#database.query<{ entity: string; data: string }, []>("SELECT entity, data FROM rows").all();
    for (const { entity, data } of found) (entities[entity] ??= []).push(JSON.parse(data) as Row);
    return entities;
  }

  async saveChange({ entity, row_id, kind, data }: ChangeEvent): Promise<void> {
    if (kind === "delete") this.#database.run("DELETE FROM rows WHERE entity = ? AND id = ?", [entity, row_id]);
    else this.#database.run("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", [entity, row_id, JSON.stringify(data)]);
  }

  async loadCursor(): Promise<SyncCursor | null> {
    const value = this.#fact(CURSOR);
    return value === null ? null : { last_seq: Number(value) };
  }

  async saveCursor(cursor: SyncCursor): Promise<void> {
    this.storage.set(CURSOR, String(cursor.last_seq));
  }

  async clear(): Promise<void> {
    this.#database.run("DELETE FROM rows");
  }

  async saveAll(mutations: PendingMutation[]): Promise<void> {
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM queue");
      for (const entry of mutations) this.#database.run("INSERT INTO queue (entry) VALUES (?)", [JSON.stringify(entry)]);
    })();
  }

  async loadAll(): Promise<PendingMutation[]> {
    const found = this.#database.query<{ entry: string }, []>("SELECT entry FROM queue ORDER BY place").all();
    setTimeout(this.#loaded);
    return found.map(({ entry }) => JSON.parse(entry) as PendingMutation);
  }

  #fact(name: string): string | null {
    const query = this.#database.query<{ value: string }, [string]>("SELECT value FROM facts WHERE name = ?");
    return query.get(name)?.value ?? null;
  }
}

/** `fetch` that tells of pulls and pushes. */
async function observedFetch(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  const { pathname, searchParams } = new URL(url);
  const answer = (await response.clone().json()) as Message;
  if (!response.ok) {
    say({ event: "refused", path: pathname, status: response.status, code: answer["code"] });
  } else if (pathname === "/api/sync/pull") {
    const { last_seq } = answer["cursor"] as SyncCursor;
    say({ event: "pulled", since: Number(searchParams.get("since")), last_seq, changes: answer["changes"] });
  } else if (pathname === "/api/sync/push") {
    const { changes } = JSON.parse(String(init.body)) as { changes: ClientChange[] };
    const tags = new Map(changes.map(({ op_id, data }) => [op_id, data?.["tag"] ?? null]));
    for (const { op_id, status, row_id } of answer["results"] as { op_id: string; status: string; row_id: string }[]) {
      const outcome = status === "failed" ? "failed" : "applied";
      say({ event: "settled", op_id, tag: tags.get(op_id), outcome, row_id, deduped: status === "deduped" });
    }
  }
  return response;
}

let sockets = 0;

/** A `WebSocket` that tells of the changes it brings. */
class ObservedSocket extends WebSocket {
  constructor(url: string, protocols?: string[]) {
    super(url, protocols);
    const socket = ++sockets;
    this.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      const change: unknown = typeof data === "string" ? JSON.parse(data) : null;
      if (typeof change === "object" && change !== null && "seq" in change) say({ event: "heard", socket, change });
    });
  }
}

const environment: Environment = {
  fetch: observedFetch,
  WebSocket: ObservedSocket,
  EventSource: undefined,
  clock: {
    now: () => Date.now(),
    after(delayMs, action) {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
  },
  random: Math.random,
};

class Client {
  readonly #persistence: FilePersistence;
  readonly #engine: SyncEngine;

  constructor(folder: string, port: string, token: string) {
    this.#persistence = new FilePersistence(join(folder, "client.db"));
    this.#engine = new SyncEngine(
      {
        baseUrl: `http://127.0.0.1:${port}`,
        wsUrl: `ws://127.0.0.1:${port}/api/sync/ws`,
        token,
        reconnectDelay: 50,
        persistence: this.#persistence,
        storage: this.#persistence.storage,
      },
      environment,
    );
  }

  async run(): Promise<void> {
    void this.#engine.start();
    await this.#persistence.queueLoaded;
    for await (const line of createInterface({ input: process.stdin })) {
      const command = JSON.parse(line) as Message;
      say({ id: command["id"], ...(await this.#obey(command)) });
    }
  }

  async #obey(command: Message): Promise<Message> {
    switch (command["do"]) {
      case "pause":
        this.#engine.stop();
        return {};
      case "resume":
        void this.#engine.start();
        return {};
      case "status":
        return { pending: this.#engine.mutations.pending().length };
      case "read":
        return this.#read();
      default:
        return this.#write(command);
    }
  }

  /** Answers once the queue is saved, without waiting for the server. */
  async #write({ do: kind, entity, row_id, data }: Message): Promise<Message> {
    const { mutations } = this.#engine;
    const [name, id, row] = [String(entity), String(row_id), data as Row];
    if (kind === "insert") void this.#engine.insert(name, row);
    else if (kind === "update") void this.#engine.update(name, id, row);
    else void this.#engine.delete(name, id);
    const queued = mutations.pending().at(-1);
    if (queued === undefined) throw new Error("the write was not queued");
    await mutations.saved();
    return { op_id: queued.id, row_id: queued.change.row_id };
  }

  #read(): Message {
    const { store, mutations } = this.#engine;
    const rows = store.serverRows();
    const overlaid: [string, string, unknown][] = [];
    for (const entity of ENTITIES) {
      const own = new Map(rows.filter((row) => row.entity === entity).map(({ row_id, data }) => [row_id, data]));
      const shown = new Map(store.list(entity).map((row) => [String(row["id"]), row]));
      for (const [id, row] of shown) {
        if (JSON.stringify(row) !== JSON.stringify(own.get(id))) overlaid.push([entity, id, row["tag"]]);
      }
      for (const id of own.keys()) if (!shown.has(id)) overlaid.push([entity, id, null]);
    }
    return {
      cursor: this.#engine.getCursor().last_seq,
      rows: rows.map(({ entity, data }) => [entity, data]),
      overlaid,
      pending: mutations.pending().length,
    };
  }
}

const [folder = "", port = "", token = ""] = process.argv.slice(2);
await new Client(folder, port, token).run();
