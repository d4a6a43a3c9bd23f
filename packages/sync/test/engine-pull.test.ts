/** Reading the change log: start, pages, live events, resync, limits. */

import { describe, expect, mock, test } from "bun:test";

import { HELD_EVENTS_MAX } from "../src/feed.ts";
import { settled, World } from "./world.ts";

const titles = (rows: Record<string, unknown>[]): unknown[] => rows.map((row) => row["title"]);
const resync = { status: 410, body: { error: { code: "RESYNC_REQUIRED", message: "cursor is gone" } } };

test("start asks who we are, reads every page, connects, and looks once more", async () => {
  const world = new World();
  world.pageSize = 2;
  for (const id of ["a", "b", "c"]) world.commit("insert", id, { title: id });
  const engine = world.engine();

  await engine.start();
  await engine.start();
  world.socket.open();
  await settled();

  expect(world.log).toEqual([
    "0 GET /api/auth/me",
    "0 GET /api/sync/pull?since=0",
    "0 GET /api/sync/pull?since=2",
    "0 connect ws://server:4322",
    "0 GET /api/sync/pull?since=3",
  ]);
  expect(titles(engine.store.list("Note"))).toEqual(["a", "b", "c"]);
  expect(engine.getCursor()).toEqual({ last_seq: 3 });
  expect(world.socket.protocols).toEqual(["bearer.t0"]);
});

test("the explicit socket address wins", async () => {
  const world = new World();

  await world.live({ wsUrl: "ws://elsewhere/api/sync/ws" });

  expect(world.socket.url).toBe("ws://elsewhere/api/sync/ws");
});

test("a page with nothing to see still moves the cursor", async () => {
  const world = new World();
  world.next("/api/sync/pull", { body: { changes: [], cursor: { last_seq: 40 }, has_more: false } });
  const engine = world.engine();

  await engine.pull();

  expect(engine.getCursor()).toEqual({ last_seq: 40 });
});

test("a server that promises more and stands still is not asked for ever", async () => {
  const world = new World();
  world.routes.set("/api/sync/pull", () => ({ body: { changes: [], cursor: { last_seq: 0 }, has_more: true } }));

  await world.engine().pull();

  expect(world.happened()).toEqual(["0 GET /api/auth/me", "0 GET /api/sync/pull?since=0"]);
});

test("a page asked for before the replica was reset is not applied after", async () => {
  const world = new World();
  world.commit("insert", "a", { title: "A" });
  const engine = await world.live();
  world.commit("insert", "b", { title: "B" });
  const release = world.hold("/api/sync/pull");

  const pulling = engine.pull();
  await settled();
  const resetting = engine.resetReplica();
  release();
  await Promise.all([pulling, resetting]);

  expect(titles(engine.store.list("Note"))).toEqual(["A", "B"]);
  expect(world.happened()).toEqual(["0 GET /api/sync/pull?since=1", "0 GET /api/sync/pull?since=0"]);
});

test("callers share one pull", async () => {
  const world = new World();
  const engine = world.engine();

  await Promise.all([engine.pull(), engine.pull()]);

  expect(world.happened()).toEqual(["0 GET /api/auth/me", "0 GET /api/sync/pull?since=0"]);
});

describe("a live event", () => {
  test("changes the row, moves the cursor and tells listeners", async () => {
    const world = new World();
    const engine = await world.live();
    const listener = mock(() => undefined);
    engine.store.subscribeEntity("Note", listener);

    world.socket.receive(world.commit("insert", "a", { title: "A" }));

    expect(titles(engine.store.list("Note"))).toEqual(["A"]);
    expect(engine.getCursor()).toEqual({ last_seq: 1 });
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test("at or below the cursor is ignored", async () => {
    const world = new World();
    world.commit("insert", "a", { title: "A" });
    const engine = await world.live();

    world.socket.receive({ ...world.changes[0], data: { title: "old" } });

    expect(titles(engine.store.list("Note"))).toEqual(["A"]);
  });

  test("that arrives during a pull waits its turn behind the page", async () => {
    const world = new World();
    const engine = await world.live();
    const release = world.hold("/api/sync/pull");
    world.commit("insert", "a", { title: "first" });

    const pulling = engine.pull();
    await settled();
    world.socket.receive(world.commit("update", "a", { title: "second" }));
    const during = engine.store.list("Note");
    release();
    await pulling;

    expect(during).toEqual([]);
    expect(titles(engine.store.list("Note"))).toEqual(["second"]);
    expect(engine.getCursor()).toEqual({ last_seq: 2 });
  });

  test("after a reconnect is held back until the gap before it is filled", async () => {
    const world = new World();
    const engine = await world.live();
    world.socket.drop();
    world.commit("insert", "a", { title: "missed" });
    await world.clock.advance(1000);
    world.next("/api/sync/pull", { status: 500 });

    world.socket.open();
    await settled();
    world.socket.receive(world.commit("insert", "b", { title: "live" }));
    const before = titles(engine.store.list("Note"));
    await world.clock.advance(1000);

    expect(before).toEqual([]);
    expect(titles(engine.store.list("Note"))).toEqual(["missed", "live"]);
  });

  test("committed between a running pull's page and the socket's opening is not lost", async () => {
    const world = new World();
    const engine = await world.live();
    world.socket.drop();
    const release = world.hold("/api/sync/pull");
    const pulling = engine.pull();
    await world.clock.advance(1000);
    world.commit("insert", "a", { title: "between" });

    world.socket.open();
    world.socket.receive(world.commit("insert", "b", { title: "live" }));
    release();
    await pulling;
    await settled();

    expect(titles(engine.store.list("Note"))).toEqual(["between", "live"]);
  });

  test("in a flood beyond what is held is fetched by another pull", async () => {
    const world = new World();
    world.pageSize = HELD_EVENTS_MAX * 2;
    const engine = await world.live();
    const release = world.hold("/api/sync/pull");
    const pulling = engine.pull();
    await settled();

    for (let i = 0; i <= HELD_EVENTS_MAX; i++) world.socket.receive(world.commit("insert", `n${i}`, {}));
    release();
    await pulling;
    await settled();

    expect(engine.store.list("Note")).toHaveLength(HELD_EVENTS_MAX + 1);
    expect(world.happened()).toEqual(["0 GET /api/sync/pull?since=0", "0 GET /api/sync/pull?since=0"]);
  });
});

describe("when the server has forgotten the cursor", () => {
  test("the replica starts again at once, and waits longer each time it happens again", async () => {
    const world = new World();
    world.commit("insert", "a", { title: "A" });
    const engine = await world.live();
    world.next("/api/sync/pull", resync, resync, resync, resync, resync, resync, resync);

    void engine.pull();
    await world.clock.advance(95_000);

    expect(world.happened()).toEqual([
      "0 GET /api/sync/pull?since=1",
      "0 GET /api/sync/pull?since=0",
      "2000 GET /api/sync/pull?since=0",
      "6000 GET /api/sync/pull?since=0",
      "14000 GET /api/sync/pull?since=0",
      "30000 GET /api/sync/pull?since=0",
      "60000 GET /api/sync/pull?since=0",
      "90000 GET /api/sync/pull?since=0",
    ]);
    expect(titles(engine.store.list("Note"))).toEqual(["A"]);
  });

  test("an answer in between makes the next time the first again", async () => {
    const world = new World();
    const engine = await world.live();
    for (let i = 0; i < 2; i++) {
      world.next("/api/sync/pull", resync);
      await engine.pull();
    }

    expect(world.happened()).toHaveLength(4);
  });

  test("live events wait for the pull from the start", async () => {
    const world = new World();
    world.commit("insert", "a", { title: "A" });
    const engine = await world.live();
    world.next("/api/sync/pull", resync, resync);

    await engine.pull();
    world.socket.receive(world.commit("insert", "b", { title: "B" }));
    const meanwhile = titles(engine.store.list("Note"));
    await world.clock.advance(2000);

    expect(meanwhile).toEqual([]);
    expect(titles(engine.store.list("Note"))).toEqual(["A", "B"]);
  });

  test("unsent changes stay visible", async () => {
    const world = new World();
    const engine = await world.live();
    world.next("/api/sync/push", { status: 403 });
    await engine.insert("Note", { title: "mine" });
    world.next("/api/sync/pull", resync);

    await engine.pull();

    expect(titles(engine.store.list("Note"))).toEqual(["mine"]);
  });
});

describe("when the server limits us", () => {
  const limited = { status: 429, headers: { "Retry-After": "7" } };

  test("a pull waits as long as asked", async () => {
    const world = new World();
    const engine = await world.live();
    world.next("/api/sync/pull", limited);

    await engine.pull();
    await world.clock.advance(7000);

    expect(world.happened()).toEqual(["0 GET /api/sync/pull?since=0", "7000 GET /api/sync/pull?since=0"]);
  });

  test("the next reconnect is three attempts further on", async () => {
    const world = new World();
    const engine = await world.live();
    world.next("/api/sync/pull", limited);
    await engine.pull();

    world.socket.drop();

    expect(engine.connection).toMatchObject({ kind: "waiting", attempt: 4, delayMs: 8000 });
  });
});

test("where no socket opens, each attempt pulls", async () => {
  const world = new World();
  const engine = world.engine();
  await engine.start();
  world.happened();

  for (let i = 0; i < 2; i++) {
    world.socket.drop();
    await world.clock.advance(4000);
  }

  expect(world.happened()).toEqual([
    "0 GET /api/sync/pull?since=0",
    "1000 connect ws://server:4322",
    "4000 GET /api/sync/pull?since=0",
    "6000 connect ws://server:4322",
  ]);
  expect(engine.connected).toBe(false);
});

test("polling pushes what waits and pulls, every interval", async () => {
  const world = new World();
  const engine = world.engine({ transport: "poll", pollInterval: 500 });
  await engine.start();
  world.happened();

  await world.clock.advance(1000);
  engine.stop();
  await world.clock.advance(5000);

  expect(world.happened()).toEqual(["500 GET /api/sync/pull?since=0", "1000 GET /api/sync/pull?since=0"]);
  expect(world.sockets).toEqual([]);
});

test("a host without event streams is polled instead", async () => {
  const world = new World();
  const engine = world.engine({ transport: "sse" });
  await engine.start();
  world.happened();

  await world.clock.advance(1000);

  expect(world.happened()).toEqual(["1000 GET /api/sync/pull?since=0"]);
  expect(engine.connected).toBe(false);
});

test("a stopped engine leaves no timer and no socket, and can be started again", async () => {
  const world = new World();
  const engine = await world.live();
  world.next("/api/sync/pull", { status: 500 });
  await engine.pull();

  engine.stop();
  const timers = world.clock.timersDue;
  world.happened();
  await engine.start();
  world.socket.open();
  await settled();

  expect(timers).toBe(0);
  expect(engine.connected).toBe(true);
  expect(world.happened()).toContain("0 connect ws://server:4322");
});

test("rows that came with the page are shown, and the first pull begins at their cursor", async () => {
  const world = new World();
  const engine = world.engine();
  engine.hydrate({ entities: { Note: [{ id: "a", title: "A" }, { title: "no id" }] }, cursor: { last_seq: 7 } });

  await engine.start();

  expect(titles(engine.store.list("Note"))).toEqual(["A"]);
  expect(world.happened()).toContain("0 GET /api/sync/pull?since=7");
});
