/** The published surface: each name, each member, and its type; more is allowed, less is not. */

import { describe, expect, test } from "bun:test";

import * as sync from "../src/index.ts";
import type {
  ChangeEvent,
  ClientChange,
  HydrationData,
  InfiniteQuery,
  MutationQueuePersistence,
  Page,
  PendingMutation,
  PullResponse,
  PushResponse,
  ResolvedSession,
  Row,
  Storage,
  SyncCursor,
  SyncEngine,
  SyncEngineConfig,
  TransportType,
} from "../src/index.ts";
import { World } from "./world.ts";

/** Fails to compile unless `Actual` can be used where `Wanted` is. */
type Fits<Actual extends Wanted, Wanted> = Actual;
/** Fails to compile unless both are the same. */
type Same<A extends B, B extends C, C = A> = [A, B, C];

/** Checked by tsc. */
export type Surface = [
  Same<Row, Record<string, unknown>>,
  Same<SyncCursor, { last_seq: number }>,
  Same<TransportType, "websocket" | "sse" | "poll">,
  Same<Storage, { get(k: string): string | null; set(k: string, v: string): void; remove(k: string): void }>,
  Same<ResolvedSession, { userId: string | null; tenantId: string | null; isAdmin: boolean; roles: string[] }>,
  Same<PullResponse, { changes: ChangeEvent[]; cursor: SyncCursor; has_more: boolean }>,
  Fits<
    ChangeEvent,
    { seq: number; entity: string; row_id: string; kind: "insert" | "update" | "delete"; data?: Row | undefined; timestamp: string }
  >,
  Fits<
    ClientChange,
    { entity: string; row_id: string; kind: "insert" | "update" | "delete"; data?: Row | undefined; op_id?: string | undefined }
  >,
  Fits<PushResponse, { applied: number; errors: string[]; cursor: SyncCursor }>,
  Fits<
    PendingMutation,
    { id: string; change: ClientChange; status: "pending" | "applied" | "failed"; error?: string | undefined }
  >,
  Fits<HydrationData, { entities: Record<string, Row[]>; cursor?: SyncCursor | undefined }>,
  Fits<
    MutationQueuePersistence,
    { saveAll(m: PendingMutation[]): Promise<void>; loadAll(): Promise<PendingMutation[]> }
  >,
  // What apps pass must be taken as it is.
  Fits<
    {
      baseUrl: string;
      transport: TransportType;
      wsUrl: string;
      pollInterval: number;
      reconnectDelay: number;
      token: string;
      persist: boolean;
      appName: string;
      storage: Storage;
    },
    SyncEngineConfig
  >,
  Fits<{ saveAll(m: PendingMutation[]): Promise<void>; loadAll(): Promise<PendingMutation[]> }, MutationQueuePersistence>,
  Fits<
    typeof sync.createSyncEngine,
    (baseUrl?: string, options?: Partial<SyncEngineConfig>) => SyncEngine
  >,
  Fits<
    typeof sync.getServerData,
    (baseUrl: string, entities: string[], options?: { token?: string }) => Promise<HydrationData>
  >,
  Fits<typeof sync.persistChange, (p: sync.IndexedDBPersistence, c: ChangeEvent) => Promise<void>>,
  Fits<typeof sync.defaultStorage, () => Storage>,
  Fits<
    typeof sync.createWriteThroughStorage,
    (seed: Record<string, string> | null, onWrite: (k: string, v: string | null) => void) => Storage
  >,
  Fits<
    sync.LocalStore,
    {
      list(entity: string): Row[];
      get(entity: string, id: string): Row | null;
      applyChange(c: ChangeEvent): void;
      applyChanges(cs: ChangeEvent[]): void;
      applyChangesAsync(cs: ChangeEvent[]): Promise<void>;
      subscribe(fn: () => void): () => void;
      notify(): void;
      optimisticInsert(entity: string, data: Row): string;
      optimisticUpdate(entity: string, id: string, patch: Row): void;
      optimisticDelete(entity: string, id: string): void;
      clearAll(): void;
    }
  >,
  Fits<
    sync.MutationQueue,
    {
      attachPersistence(p: MutationQueuePersistence): void;
      hydrate(): Promise<unknown>;
      add(change: ClientChange): string;
      pending(): PendingMutation[];
      markApplied(id: string): void;
      markFailed(id: string, error: string): void;
      clear(): void;
      remove(id: string): void;
    }
  >,
  Fits<
    SyncEngine,
    {
      readonly store: sync.LocalStore;
      readonly mutations: sync.MutationQueue;
      readonly clientId: string;
      readonly storage: Storage;
      start(): Promise<void>;
      stop(): void;
      hydrate(data: HydrationData): void;
      pull(): Promise<void>;
      push(): Promise<void>;
      insert(entity: string, data: Row): Promise<string>;
      update(entity: string, id: string, patch: Row): Promise<void>;
      delete(entity: string, id: string): Promise<void>;
      loadPage(
        entity: string,
        options?: { limit?: number; offset?: number; order?: Record<string, "asc" | "desc"> },
      ): Promise<{ data: Row[]; total: number; hasMore: boolean }>;
      createInfiniteQuery(
        entity: string,
        options?: { pageSize?: number; order?: Record<string, "asc" | "desc"> },
      ): {
        loadMore(): Promise<void>;
        data: Row[];
        hasMore: boolean;
        loading: boolean;
        subscribe(fn: () => void): () => void;
        reset(): void;
      };
      getCursor(): SyncCursor;
      readonly connected: boolean;
      resolvedSession(): ResolvedSession;
      refreshResolvedSession(): Promise<void>;
      notifySessionChanged(): Promise<void>;
      resetReplica(): Promise<void>;
      setPresence(data: Row): void;
      publishTopic(topic: string, data: unknown): void;
      subscribeCrdt(entity: string, rowId: string): void;
      unsubscribeCrdt(entity: string, rowId: string): void;
      onBinaryFrame(fn: (bytes: Uint8Array) => void): () => void;
    }
  >,
  Fits<
    sync.IndexedDBPersistence,
    {
      open(): Promise<void>;
      saveRow(entity: string, id: string, data: Row): Promise<void>;
      getRow(entity: string, id: string): Promise<Row | null>;
      deleteRow(entity: string, id: string): Promise<void>;
      loadAll(entity: string): Promise<Row[]>;
      loadAllEntities(): Promise<Record<string, Row[]>>;
      saveCursor(cursor: SyncCursor): Promise<void>;
      loadCursor(): Promise<SyncCursor | null>;
      clear(): Promise<void>;
      readonly connection: IDBDatabase | null;
    }
  >,
];

interface Todo {
  id: string;
  title: string;
}

/** Rows of the app's own type: compiled, never run. */
export function typedRows(engine: SyncEngine): unknown {
  const listed: Todo[] = engine.store.list<Todo>("Todo");
  const one: Todo | null = engine.store.get<Todo>("Todo", "a");
  const page: Promise<Page<Todo>> = engine.loadPage<Todo>("Todo");
  const query: InfiniteQuery<Todo> = engine.createInfiniteQuery<Todo>("Todo");
  const live: readonly Todo[] = engine.live.query<Todo>({ entity: "Todo" }).rows;
  const answer: Promise<{ n: number }> = engine.request<{ n: number }>("/api/fn/n");
  // @ts-expect-error a title is no number
  const wrong: number | undefined = listed[0]?.title;
  // @ts-expect-error an order is "asc" or "desc"
  const order = engine.loadPage("Todo", { order: { title: "up" } });
  // @ts-expect-error an answer is unknown until the caller says what it is
  const unknown: Promise<string> = engine.request("/api/fn/n").then((value) => value);
  return [listed, one, page, query, live, answer, wrong, order, unknown];
}

const NAMES = [
  "HttpError",
  "IndexedDBPersistence",
  "LiveClient",
  "LiveQueryError",
  "LocalStore",
  "MutationQueue",
  "ReplicaTakenError",
  "SyncEngine",
  "createLiveClient",
  "createSyncEngine",
  "createWriteThroughStorage",
  "defaultStorage",
  "getServerData",
  "persistChange",
];

test("the entry exports what it is known for, and nothing by accident", () => {
  expect(Object.keys(sync).sort()).toEqual(NAMES);
});

describe("what is not given", () => {
  test("is localhost, a WebSocket, storage of the page, and not started", () => {
    const engine = sync.createSyncEngine();

    expect(engine.connection).toEqual({ kind: "idle" });
    expect(engine.connected).toBe(false);
    expect(engine.getCursor()).toEqual({ last_seq: 0 });
    expect(engine.resolvedSession()).toEqual({ userId: null, tenantId: null, isAdmin: false, roles: [] });
    expect(engine.status).toEqual({ loaded: false, pulling: false, error: null, identity: "unknown" });
  });

  test("the cursor given out is a copy", () => {
    const engine = sync.createSyncEngine();

    engine.getCursor().last_seq = 7;

    expect(engine.getCursor()).toEqual({ last_seq: 0 });
  });
});

describe("a client's id", () => {
  const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  test("is a version 4 UUID, made once and kept for all apps", () => {
    const storage = sync.createWriteThroughStorage(null, () => undefined);

    const first = sync.createSyncEngine("http://server", { storage });
    const second = sync.createSyncEngine("http://server", { storage, appName: "shop" });

    expect(first.clientId).toMatch(UUID_V4);
    expect(second.clientId).toBe(first.clientId);
    expect(storage.get("pylon:client_id")).toBe(first.clientId);
  });

  test("that was kept by an older client stays", () => {
    expect(new World().engine().clientId).toBe("cl_test");
  });

  test("is another one elsewhere", () => {
    const make = (): string =>
      sync.createSyncEngine("http://server", { storage: sync.createWriteThroughStorage(null, () => undefined) }).clientId;

    expect(new Set([make(), make(), make()]).size).toBe(3);
  });
});

test.each([
  ["default", "pylon_token"],
  ["shop", "pylon:shop:token"],
])("the token of app %s is kept under %s", async (appName, key) => {
  const world = new World();
  const storage = sync.createWriteThroughStorage({ [key]: "stored" }, () => undefined);

  await world.engine({ token: undefined, appName, storage }).start();

  expect(world.socket.protocols).toEqual(["bearer.stored"]);
});
