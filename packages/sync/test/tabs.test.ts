/** Tabs on one database, at the moments when they could get into each other's way, and storage that lets them down. */

import { describe, expect, spyOn, test } from "bun:test";

import type { SyncEngine } from "../src/engine.ts";
import { IndexedDBPersistence } from "../src/indexeddb.ts";
import type { PendingMutation } from "../src/mutations.ts";
import { WRITE_FAILURES_MAX } from "../src/queue-writer.ts";
import { FOLLOW_EVERY_MS } from "../src/replica.ts";
import { createWriteThroughStorage } from "../src/storage.ts";
import { Browser, calm, type FakeSocket, World } from "./world.ts";

function shared(): World {
  const world = new World();
  world.browser = new Browser();
  return world;
}

async function disk(world: World): Promise<{ rows: unknown[]; seq: number; queue: PendingMutation[] }> {
  const indexedDB = world.browser?.indexedDB ?? globalThis.indexedDB;
  const persistence = new IndexedDBPersistence("default", () => indexedDB);
  await persistence.open();
  const rows = await persistence.loadAll("Note");
  const seq = (await persistence.loadCursor())?.last_seq ?? 0;
  const queue = await persistence.mutations.loadAll();
  persistence.close();
  return { rows: rows.map(({ id }) => id).sort(), seq, queue };
}

/** A tab that is live, and its socket. */
async function tab(world: World): Promise<{ engine: SyncEngine; socket: FakeSocket }> {
  const engine = await world.live();
  return { engine, socket: world.socket };
}

describe("after a resync", () => {
  /** Two tabs, and a server that has forgotten what they know. */
  async function forgotten() {
    const world = shared();
    world.commit("insert", "old", {});
    const first = await tab(world);
    const second = await tab(world);
    world.changes.length = 0;
    for (const id of ["a", "b", "c"]) world.commit("insert", id, {}).seq += 100;
    const usual = world.routes.get("/api/sync/pull") ?? (() => ({}));
    world.routes.set("/api/sync/pull", (body, url) => {
      const since = Number(url.searchParams.get("since"));
      return since > 0 && since <= 100 ? { status: 410 } : usual(body, url);
    });
    return { world, first, second };
  }

  test("one tab rewrites the disk, and the other goes on writing when it has caught up", async () => {
    const { world, first, second } = await forgotten();
    const resets = spyOn(IndexedDBPersistence.prototype, "reset");
    const assigns = spyOn(IndexedDBPersistence.prototype, "assign");
    await Promise.all([first.engine.pull(), second.engine.pull()]);
    await calm();
    const done = await Promise.allSettled(resets.mock.results.map(({ value }) => value));
    const emptied = done.filter(({ status }) => status === "fulfilled").length + assigns.mock.calls.length;
    resets.mockRestore();
    assigns.mockRestore();
    const rewritten = await disk(world);
    await world.clock.advance(FOLLOW_EVERY_MS, calm);

    first.engine.stop();
    second.socket.receive(world.commit("insert", "d", {}));
    await calm();

    expect(emptied).toBe(1);
    expect(rewritten).toMatchObject({ rows: ["a", "b", "c"], seq: 303 });
    expect(await disk(world)).toMatchObject({ rows: ["a", "b", "c", "d"], seq: 304 });
    expect(second.engine.store.list("Note")).toHaveLength(4);
    second.engine.stop();
  });

  test("a tab that closed in the middle of it leaves the rest to the other", async () => {
    const { world, first, second } = await forgotten();
    world.pageSize = 1;
    const writing = spyOn(IndexedDBPersistence.prototype, "saveBatch").mockImplementationOnce(() => new Promise(() => undefined));
    await first.engine.pull();
    await calm();
    first.engine.stop();
    await second.engine.pull();
    await calm();
    writing.mockRestore();
    const left = await disk(world);
    await world.clock.advance(3 * FOLLOW_EVERY_MS, calm);

    expect(left.seq).toBe(0);
    expect(await disk(world)).toMatchObject({ rows: ["a", "b", "c"], seq: 303 });
    second.engine.stop();
  });

  test("a stopped engine looks no more, and looks again when it is started", async () => {
    const { world, first, second } = await forgotten();
    await Promise.all([first.engine.pull(), second.engine.pull()]);
    await calm();

    first.engine.stop();
    second.engine.stop();
    expect(world.clock.timersDue).toBe(0);
  });
});

test("another user's tab keeps its disk, however long the first one looks", async () => {
  const world = shared();
  world.commit("insert", "alices", {});
  const alice = await tab(world);
  world.session = { ...world.session, user_id: "bob" };
  world.changes.length = 0;
  world.commit("insert", "bobs", {});
  const bob = await world.live({ token: "t1" });

  alice.socket.receive({ ...world.commit("insert", "alices2", {}), seq: 2 });
  await world.clock.advance(10 * FOLLOW_EVERY_MS, calm);

  expect((await disk(world)).rows).not.toContain("alices2");
  expect(bob.store.get("Note", "alices")).toBeNull();
  expect(alice.engine.store.get("Note", "bobs")).toBeNull();
  alice.engine.stop();
  bob.stop();
});

describe("a token that changes without a word", () => {
  test("between two pages does not bring another user's rows into the replica", async () => {
    const world = shared();
    world.pageSize = 1;
    for (const id of ["a", "b", "c"]) world.commit("insert", id, {});
    const storage = createWriteThroughStorage({ pylon_token: "alice", "pylon:client_id": "c" }, () => undefined);
    const engine = world.engine({ token: undefined, storage });
    const usual = world.routes.get("/api/sync/pull") ?? (() => ({}));
    const pages: string[] = [];
    world.routes.set("/api/sync/pull", (body, url) => {
      pages.push(`${String(storage.get("pylon_token"))} ${String(url.searchParams.get("since"))}`);
      if (pages.length === 1) {
        storage.set("pylon_token", "bob");
        world.session = { ...world.session, user_id: "bob" };
      }
      return usual(body, url);
    });

    await engine.pull();
    const after = [...pages];
    await engine.pull();

    expect(after).toEqual(["alice 0"]);
    expect(pages.slice(1)).toEqual(["bob 0", "bob 1", "bob 2"]);
  });

  test("while the queue is looked at does not send one user's writes as another", async () => {
    const world = shared();
    const storage = createWriteThroughStorage({ pylon_token: "alice", "pylon:client_id": "c" }, () => undefined);
    const engine = await world.live({ token: undefined, storage });

    const writing = engine.update("Note", "n1", { n: 1 });
    storage.set("pylon_token", "bob");
    world.session = { ...world.session, user_id: "bob" };
    await writing;
    await world.clock.advance(60_000, calm);

    expect(world.changes).toEqual([]);
    expect(engine.mutations.pending()).toEqual([]);
    expect((await disk(world)).queue).toMatchObject([{ change: { row_id: "n1" }, owner: 'user:["alice",null]' }]);
    engine.stop();
  });
});

describe("a disk without room", () => {
  test("gets what was queued as soon as there is some, and says until then that it has not", async () => {
    const warn = spyOn(console, "warn").mockImplementation(() => undefined);
    const world = shared();
    const engine = await world.live();
    world.routes.set("/api/sync/push", () => ({ status: 503 }));
    const prototype = Object.getPrototypeOf(new IndexedDBPersistence("x", () => new Browser().indexedDB).mutations);
    const save = spyOn(prototype, "saveDelta").mockRejectedValueOnce(new DOMException("full", "QuotaExceededError"));

    void engine.update("Note", "n1", { n: 1 });
    const first = await engine.mutations.saved();
    await calm();
    const lost = (await disk(world)).queue;
    void engine.update("Note", "n2", { n: 2 });
    const second = await engine.mutations.saved();
    const kept = (await disk(world)).queue.map(({ change }) => change.row_id);

    expect([first, second]).toEqual([false, true]);
    expect(lost).toEqual([]);
    expect(kept).toEqual(["n1", "n2"]);
    expect(engine.mutations.pending().map(({ change }) => change.row_id)).toEqual(["n1", "n2"]);
    expect(warn).toHaveBeenCalledTimes(1);
    for (const spy of [warn, save]) spy.mockRestore();
    engine.stop();
  });

  test("is given up in the end, and the queue goes on in memory", async () => {
    const warn = spyOn(console, "warn").mockImplementation(() => undefined);
    const world = shared();
    const engine = await world.live();
    const prototype = Object.getPrototypeOf(new IndexedDBPersistence("x", () => new Browser().indexedDB).mutations);
    const save = spyOn(prototype, "saveDelta").mockRejectedValue(new DOMException("full", "QuotaExceededError"));

    for (let n = 0; n < WRITE_FAILURES_MAX + 10; n++) {
      engine.mutations.add({ entity: "Note", row_id: `n${n}`, kind: "delete" });
      await engine.mutations.saved();
    }
    const tries = save.mock.calls.length;
    await engine.push();

    expect(tries).toBe(WRITE_FAILURES_MAX);
    expect(world.changes).toHaveLength(WRITE_FAILURES_MAX + 10);
    expect(engine.mutations.pending()).toEqual([]);
    for (const spy of [warn, save]) spy.mockRestore();
    engine.stop();
  });
});

test("storage that is evicted under an open tab loses no write of it", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  const world = shared();
  const { engine } = await tab(world);
  const push = world.routes.get("/api/sync/push") ?? (() => ({}));
  world.routes.set("/api/sync/push", () => ({ status: 503 }));
  void engine.update("Note", "n1", { n: 1 });
  await calm();

  // As browsers do it: the connection is closed, and the database gone.
  await new Promise((resolve) => {
    const request = world.browser?.indexedDB.deleteDatabase("pylon_sync_default");
    if (request !== undefined) request.onsuccess = resolve;
  });
  void engine.update("Note", "n2", { n: 2 });
  await calm();
  const saved = await engine.mutations.saved();
  world.routes.set("/api/sync/push", push);
  await engine.push();

  expect(saved).toBe(false);
  expect(world.changes.map(({ row_id }) => row_id)).toEqual(["n1", "n2"]);
  expect(engine.mutations.pending()).toEqual([]);
  warn.mockRestore();
  engine.stop();
});
