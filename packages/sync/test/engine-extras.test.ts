/** Documents, pages, requests, server-side rendering, and a replica on disk. */

import { describe, expect, spyOn, test } from "bun:test";

import { SyncEngine } from "../src/engine.ts";
import { ANSWER_WITHIN_MS } from "../src/http.ts";
import type { PendingMutation } from "../src/mutations.ts";
import type { ReplicaPersistence } from "../src/persistence.ts";
import { fingerprint, type ReplicaOwner, sessionOwner } from "../src/identity.ts";
import type { ChangeEvent, ClientChange, Row } from "../src/protocol.ts";
import { replicaOwnerKey } from "../src/sole-persistence.ts";
import { getServerData } from "../src/ssr.ts";
import { settled, World } from "./world.ts";

describe("documents", () => {
  const said = (world: World): unknown[] => world.socket.sent.map((text) => JSON.parse(text).type);

  test("are subscribed once for many followers, and again after a reconnect", async () => {
    const world = new World();
    const engine = await world.live();

    engine.subscribeCrdt("Note", "n1");
    engine.subscribeCrdt("Note", "n1");
    engine.unsubscribeCrdt("Note", "n1");
    engine.unsubscribeCrdt("Note", "other");
    const first = said(world);
    world.socket.drop();
    await world.clock.advance(1000);
    world.socket.open();
    const second = said(world);
    engine.unsubscribeCrdt("Note", "n1");

    expect(first).toEqual(["crdt-subscribe"]);
    expect(second).toEqual(["crdt-subscribe"]);
    expect(said(world)).toEqual(["crdt-subscribe", "crdt-unsubscribe"]);
  });

  test("frames go to every handler until it leaves", async () => {
    const world = new World();
    const engine = await world.live();
    const frames: number[][] = [];
    const stop = engine.onBinaryFrame((bytes) => frames.push([...bytes]));
    engine.onBinaryFrame((bytes) => frames.push([...bytes]));

    world.socket.receive(new Uint8Array([16, 0]).buffer);
    stop();
    world.socket.receive(new Uint8Array([17]).buffer);

    expect(frames).toEqual([[16, 0], [16, 0], [17]]);
  });
});

describe("pages", () => {
  test("grow until a short one comes", async () => {
    const world = new World();
    const rows = ["a", "b", "c"].map((id) => ({ id }));
    world.routes.set("/api/query/Note", ({ $offset, $limit }) => ({
      body: rows.slice(Number($offset), Number($offset) + Number($limit)),
    }));
    const query = world.engine().createInfiniteQuery("Note", { pageSize: 2 });

    await Promise.all([query.loadMore(), query.loadMore()]);
    const first = [...query.data];
    await query.loadMore();
    await query.loadMore();

    expect(first).toHaveLength(2);
    expect(query.data).toEqual(rows);
    expect(query.hasMore).toBe(false);
    expect(world.happened()).toHaveLength(2);
  });

  test("pass on the server's refusal", async () => {
    const world = new World();
    const refusal = { status: 403, body: { error: { code: "POLICY_DENIED", message: "not for you" } } };
    world.next("/api/query/Note", refusal);

    const loading = world.engine().loadPage("Note", { order: { title: "desc" } });

    await expect(loading).rejects.toMatchObject({ status: 403, code: "POLICY_DENIED", message: "not for you" });
  });
});

describe("a request", () => {
  test("carries the token and JSON, and resolves to the answer's", async () => {
    const world = new World();
    const requests: RequestInit[] = [];
    const { fetch } = world.environment();
    const engine = new SyncEngine(
      { baseUrl: "http://server", token: "t0", storage: world.storage },
      { ...world.environment(), fetch: (url, init) => (requests.push(init), fetch(url, init)) },
    );
    world.routes.set("/api/fn/greet", ({ name }) => ({ body: { greeting: `Hello ${String(name)}` } }));
    world.routes.set("/api/things", () => ({ body: [1] }));

    const greeted = await engine.request<{ greeting: string }>("/api/fn/greet", { body: { name: "Ann" } });
    const things = await engine.request("/api/things");
    await engine.request("/api/things", { method: "DELETE" });

    expect(greeted.greeting).toBe("Hello Ann");
    expect(things).toEqual([1]);
    expect(requests.map(({ method }) => method)).toEqual(["POST", "GET", "DELETE"]);
    expect(requests.map(({ headers }) => headers)).toEqual([
      { Authorization: "Bearer t0", "Content-Type": "application/json" },
      { Authorization: "Bearer t0" },
      { Authorization: "Bearer t0" },
    ]);
  });

  test("without a body in the answer resolves to nothing", async () => {
    const world = new World();
    const engine = new SyncEngine(
      { baseUrl: "http://server", storage: world.storage },
      { ...world.environment(), fetch: async () => new Response(null, { status: 204 }) },
    );

    expect(await engine.request("/api/files/1", { method: "DELETE" })).toBeUndefined();
  });

  test("is given up with its signal, and so is a page", async () => {
    const world = new World();
    world.hold("/api/query/Note");
    const abort = new AbortController();

    const loading = world.engine().loadPage("Note", { signal: abort.signal });
    abort.abort();

    await expect(loading).rejects.toMatchObject({ name: "AbortError" });
  });

  test("of the engine's own that nobody answers does not hold up the next for ever", async () => {
    const world = new World();
    const engine = await world.live();
    world.hold("/api/sync/push");

    const writing = engine.update("Note", "n1", { n: 1 });
    await world.clock.advance(ANSWER_WITHIN_MS + 1_000);
    await writing;

    expect(world.changes).toMatchObject([{ row_id: "n1" }, { row_id: "n1" }]);
    expect(engine.mutations.pending()).toEqual([]);
  });
});

describe("rows for a server-rendered page", () => {
  test("are those of the entities asked for; one that is refused has none", async () => {
    const world = new World();
    world.routes.set("/api/entities/Note", () => ({ body: [{ id: "a", title: "A" }] }));

    const data = await getServerData("http://server:4321", ["Note", "Secret"], {
      fetch: world.environment().fetch,
    });

    expect(data).toEqual({ entities: { Note: [{ id: "a", title: "A" }], Secret: [] }, cursor: { last_seq: 0 } });
  });

  test("come with the cursor to go on from when they are all there is", async () => {
    const world = new World();
    world.commit("insert", "a", { title: "A" });
    world.commit("insert", "b", { title: "B" });
    world.commit("delete", "b");
    world.routes.set("/api/entities/Note", () => ({ body: [{ id: "a", title: "A" }] }));
    const { fetch } = world.environment();
    const engine = world.engine();

    const data = await getServerData("http://server:4321", ["Note"], { fetch });
    engine.hydrate(data);
    const loadedAtOnce = engine.status.loaded;
    world.happened();
    await engine.start();

    expect(data.cursor).toEqual({ last_seq: 3 });
    expect(loadedAtOnce).toBe(true);
    expect(world.happened()).toContain("0 GET /api/sync/pull?since=3");
  });

  test("come with cursor 0 when the log cannot be read, or is longer than a page", async () => {
    const world = new World();
    world.pageSize = 1;
    world.commit("insert", "a", {});
    world.commit("update", "a", {});
    world.routes.set("/api/entities/Note", () => ({ body: [{ id: "a" }] }));
    const { fetch } = world.environment();

    const cut = await getServerData("http://server:4321", ["Note"], { fetch });
    world.next("/api/sync/pull", { status: 500 });
    const unread = await getServerData("http://server:4321", ["Note"], { fetch });

    expect([cut.cursor, unread.cursor]).toEqual([{ last_seq: 0 }, { last_seq: 0 }]);
  });

  test("keep the replica from nothing that was not among them", async () => {
    const world = new World();
    world.commit("insert", "a", { title: "A" });
    world.commit("insert", "b", { title: "B" });
    world.commit("insert", "t", { name: "T" }, "Tag");
    // Lists are cut off at some number of rows.
    world.routes.set("/api/entities/Note", () => ({ body: [{ id: "a", title: "A" }] }));
    const { fetch } = world.environment();
    const engine = world.engine();

    engine.hydrate(await getServerData("http://server:4321", ["Note"], { fetch }));
    await engine.start();

    expect(engine.store.list("Note")).toEqual([{ id: "a", title: "A" }, { id: "b", title: "B" }]);
    expect(engine.store.list("Tag")).toEqual([{ id: "t", name: "T" }]);
  });
});

describe("a replica on disk", () => {
  class Disk implements ReplicaPersistence {
    readonly log: string[] = [];
    rows: Record<string, Row[]> = {};
    cursor = 0;
    queue: PendingMutation[] = [];
    broken = false;
    readonly mutations = {
      loadAll: async () => this.queue,
      saveAll: async (mutations: PendingMutation[]) => void (this.queue = mutations),
    };
    loadAllEntities = async (): Promise<Record<string, Row[]>> => this.rows;
    loadCursor = async () => ({ last_seq: this.cursor });

    async saveChange({ seq }: ChangeEvent): Promise<void> {
      if (this.broken) throw new Error("disk full");
      this.log.push(`row ${seq}`);
    }

    async saveCursor({ last_seq }: { last_seq: number }): Promise<void> {
      this.log.push(`cursor ${last_seq}`);
    }

    async clear(): Promise<void> {
      this.log.push("clear");
    }
  }

  const alice = { userId: "alice", tenantId: null, isAdmin: false, roles: [] };

  function filledForAlice(world: World): void {
    const owner: ReplicaOwner = { session: alice, token: fingerprint("t0") };
    world.storage.set(replicaOwnerKey("default"), JSON.stringify(owner));
  }

  test("is loaded first, and written rows before cursor", async () => {
    const world = new World();
    const disk = new Disk();
    disk.rows = { Note: [{ id: "a", title: "A" }] };
    disk.cursor = 1;
    filledForAlice(world);
    world.commit("insert", "a", { title: "A" });
    world.commit("insert", "b", { title: "B" });

    const engine = await world.live({ persistence: disk });

    expect(engine.store.list("Note")).toHaveLength(2);
    expect(disk.log.slice(0, 2)).toEqual(["row 2", "cursor 2"]);
  });

  test("whose cursor was never saved is not used: its rows may be gone, and nobody would say so", async () => {
    const world = new World();
    const disk = new Disk();
    disk.rows = { Note: [{ id: "gone", title: "G" }] };
    filledForAlice(world);
    world.commit("insert", "a", { title: "A" });

    const engine = await world.live({ persistence: disk });

    expect(engine.store.list("Note")).toEqual([{ id: "a", title: "A" }]);
    expect(disk.log.slice(0, 3)).toEqual(["cursor 0", "clear", "row 1"]);
  });

  test("shows and sends what was queued before the reload", async () => {
    const world = new World();
    const disk = new Disk();
    const change: ClientChange = { entity: "Note", row_id: "x", kind: "insert", data: { title: "queued" } };
    disk.queue = [{ id: "mut_1", change: { ...change, op_id: "mut_1" }, status: "pending", owner: sessionOwner(alice) }];
    filledForAlice(world);
    const engine = world.engine({ persistence: disk });

    await engine.start();
    const shown = engine.store.list("Note");
    world.socket.open();
    await settled();

    expect(shown).toEqual([{ id: "x", title: "queued" }]);
    expect(world.changes).toMatchObject([{ row_id: "x" }]);
    expect(disk.queue).toEqual([]);
  });

  test("is cleared with the replica", async () => {
    const world = new World();
    const disk = new Disk();
    const engine = await world.live({ persistence: disk });
    disk.log.length = 0;

    await engine.resetReplica();
    await settled();

    expect(disk.log.slice(0, 2)).toEqual(["cursor 0", "clear"]);
  });

  test("that cannot be written keeps its old cursor, and the engine goes on in memory", async () => {
    const warned = spyOn(console, "warn").mockImplementation(() => undefined);
    const world = new World();
    const disk = new Disk();
    const engine = await world.live({ persistence: disk });
    disk.log.length = 0;
    disk.broken = true;

    world.socket.receive(world.commit("insert", "a", {}));
    await settled();

    expect(engine.store.list("Note")).toHaveLength(1);
    expect(disk.log).toEqual([]);
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });
});
