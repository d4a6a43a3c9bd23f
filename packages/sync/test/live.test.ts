/** Live queries: one socket, shared subscriptions, answers that replace and answers that change. */

import { describe, expect, test } from "bun:test";

import type { LiveQuery } from "../src/live.ts";
import { LINGER_MS, LiveClient, type LiveClientOptions } from "../src/live.ts";
import type { Row } from "../src/protocol.ts";
import { createWriteThroughStorage } from "../src/storage.ts";
import { type FakeSocket, settled, World } from "./world.ts";

const OPEN = { entity: "Todo", where: { done: false }, order: { title: "asc" }, limit: 10 } as const;

interface Todo {
  id: string;
  title: string;
}

function setUp(options: LiveClientOptions = {}) {
  const world = new World();
  const config = { baseUrl: "http://server:4321", token: "t0", ...options };
  return { world, client: new LiveClient(config, world.environment()) };
}

/** What the client said on a socket, in order. */
const said = (socket: FakeSocket): Row[] => socket.sent.map((text) => JSON.parse(text));
const types = (socket: FakeSocket): string[] => said(socket).map(({ type, id }) => `${String(type)} ${String(id)}`);
const ids = (query: LiveQuery): unknown[] => query.rows.map((row) => row["id"]);

function answer(socket: FakeSocket, rows: Row[], more: Row = {}): void {
  socket.receive({ type: "live-rows", id: "q1", query: 7, seq: 10, rows, complete: true, ...more });
}

function change(socket: FakeSocket, removed: string[], placed: [number, Row][], more: Row = {}): void {
  socket.receive({ type: "live-diff", query: 7, seq: 11, removed, placed, complete: true, ...more });
}

test("a query connects, asks, and shows the answer and what changes in it", () => {
  const { world, client } = setUp();
  const query = client.query<Todo>(OPEN);
  const states: unknown[] = [];
  query.subscribe(() => states.push([query.rows.map(({ id }) => id), query.loading, query.complete]));
  const first = query.snapshot;

  world.socket.open();
  answer(world.socket, [{ id: "a", title: "A" }, { id: "c", title: "C" }], { complete: false });
  change(world.socket, ["c"], [[1, { id: "b", title: "B" }]]);

  expect(world.socket.url).toBe("ws://server:4322");
  expect(world.socket.protocols).toEqual(["bearer.t0"]);
  expect(said(world.socket)).toEqual([{ type: "live-subscribe", id: "q1", ...OPEN }]);
  expect(first).toEqual({ rows: [], loading: true, error: null, complete: false });
  expect(states).toEqual([
    [["a", "c"], false, false],
    [["a", "b"], false, true],
  ]);
});

test("rows that did not change stay the same objects, and their list the same list", async () => {
  const { world, client } = setUp();
  const query = client.query(OPEN);
  let told = 0;
  query.subscribe(() => (told += 1));
  world.socket.open();
  answer(world.socket, [{ id: "a", n: 1 }, { id: "b", n: 1 }]);
  const [a, b] = query.rows;
  const list = query.rows;

  change(world.socket, [], [[1, { id: "b", n: 2 }]]);
  const changed = query.rows;
  world.socket.drop();
  await world.clock.advance(1000);
  world.socket.open();
  answer(world.socket, [{ id: "a", n: 1 }, { id: "b", n: 2 }]);

  expect(changed).not.toBe(list);
  expect(changed[0]).toBe(a);
  expect(changed[1]).not.toBe(b);
  expect(query.rows).toBe(changed);
  expect(told).toBe(2);
});

describe("identical queries", () => {
  test("share a subscription, which ends a moment after the last one was closed", async () => {
    const { world, client } = setUp();
    const one = client.query({ entity: "Todo", where: { a: 1, b: { $in: [1] } } });
    const two = client.query({ entity: "Todo", where: { b: { $in: [1] }, a: 1 }, order: {} });
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    one.close();
    one.close();
    await world.clock.advance(LINGER_MS);
    const stillOpen = types(world.socket);
    change(world.socket, [], [[1, { id: "b" }]]);
    two.close();
    await world.clock.advance(LINGER_MS - 1);
    const three = client.query({ entity: "Todo", where: { a: 1, b: { $in: [1] } } });
    const atOnce = ids(three);
    three.close();
    await world.clock.advance(LINGER_MS);

    expect(stillOpen).toEqual(["live-subscribe q1"]);
    expect(atOnce).toEqual(["a", "b"]);
    expect(types(world.socket)).toEqual(["live-subscribe q1", "live-unsubscribe q1"]);
    expect(client.connection).toEqual({ kind: "idle" });
    expect(world.clock.timersDue).toBe(0);
  });

  test("are those with the same order of order", () => {
    const { world, client } = setUp();
    client.query({ entity: "Todo", order: { a: "asc", b: "asc" } });
    client.query({ entity: "Todo", order: { b: "asc", a: "asc" } });
    world.socket.open();

    expect(types(world.socket)).toEqual(["live-subscribe q1", "live-subscribe q2"]);
  });

  test("a closed one hears nothing more", () => {
    const { world, client } = setUp();
    const one = client.query(OPEN);
    const two = client.query(OPEN);
    let told = 0;
    one.subscribe(() => (told += 1));
    one.close();
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    expect(told).toBe(0);
    expect(ids(two)).toEqual(["a"]);
  });
});

test("different questions that the server counts as one hear its changes", () => {
  const { world, client } = setUp();
  const one = client.query({ entity: "Todo" });
  const two = client.query({ entity: "Todo", limit: 1000 });
  world.socket.open();
  answer(world.socket, [{ id: "a" }], { id: "q1" });
  answer(world.socket, [{ id: "a" }], { id: "q2" });

  change(world.socket, [], [[0, { id: "b" }]]);

  expect([ids(one), ids(two)]).toEqual([
    ["b", "a"],
    ["b", "a"],
  ]);
});

describe("a change", () => {
  test("older than the answer is passed over, of another query too", () => {
    const { world, client } = setUp();
    const query = client.query(OPEN);
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    change(world.socket, ["a"], [], { seq: 9 });
    change(world.socket, ["a"], [], { query: 8 });

    expect(ids(query)).toEqual(["a"]);
  });

  test("that does not fit has the query asked anew under another name", () => {
    const { world, client } = setUp();
    const query = client.query(OPEN);
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    change(world.socket, [], [[5, { id: "b" }]]);
    change(world.socket, ["a"], []);
    answer(world.socket, [{ id: "late" }]);
    const between = ids(query);
    answer(world.socket, [{ id: "c" }], { id: "q2", query: 9 });

    expect(types(world.socket)).toEqual(["live-subscribe q1", "live-unsubscribe q1", "live-subscribe q2"]);
    expect(between).toEqual(["a"]);
    expect(ids(query)).toEqual(["c"]);
  });
});

test("an ended connection keeps the rows, and the next one is asked again", async () => {
  const { world, client } = setUp();
  const query = client.query(OPEN);
  world.socket.open();
  answer(world.socket, [{ id: "a" }]);
  const first = world.socket;

  first.drop();
  const offline = query.snapshot;
  await world.clock.advance(1000);
  world.socket.open();
  change(world.socket, ["a"], []);
  const unanswered = ids(query);
  answer(world.socket, [{ id: "b" }], { query: 1, seq: 3 });

  expect(offline).toMatchObject({ loading: false, error: null });
  expect(world.socket).not.toBe(first);
  expect(types(world.socket)).toEqual(["live-subscribe q1"]);
  expect(unanswered).toEqual(["a"]);
  expect(ids(query)).toEqual(["b"]);
});

test("without a connection a query that was never answered says so, and waits longer each time", async () => {
  const { world, client } = setUp();
  const query = client.query(OPEN);

  for (let attempt = 0; attempt < 3; attempt++) {
    world.socket.drop();
    await world.clock.advance(5000);
  }
  const failed = query.snapshot;
  world.socket.open();
  answer(world.socket, []);

  expect(failed).toMatchObject({ loading: false, error: { code: "DISCONNECTED" } });
  expect(query.snapshot).toEqual({ rows: [], loading: false, error: null, complete: true });
  expect(world.happened().filter((line) => line.includes("connect"))).toEqual([
    "0 connect ws://server:4322",
    "1000 connect ws://server:4322",
    "7000 connect ws://server:4322",
    "14000 connect ws://server:4322",
  ]);
});

test("a refusal is the query's error, and leaves others alone", () => {
  const { world, client } = setUp();
  const refused = client.query({ entity: "Secret" });
  const other = client.query(OPEN);
  world.socket.open();

  world.socket.receive({ type: "live-error", id: "q1", code: "POLICY_DENIED", message: "not for you" });
  answer(world.socket, [{ id: "a" }], { id: "q2" });

  expect(refused.error).toMatchObject({ code: "POLICY_DENIED", message: "not for you" });
  expect(refused.loading).toBe(false);
  expect(other.error).toBeNull();
});

test("an error that may pass has the query asked again, later each time, while it is shown", async () => {
  const { world, client } = setUp();
  const query = client.query(OPEN);
  world.socket.open();
  const busy = (): void =>
    world.socket.receive({ type: "live-error", id: "q1", code: "NOT_AVAILABLE", message: "Try again later." });

  busy();
  const shown = query.error?.code;
  await world.clock.advance(1000);
  busy();
  await world.clock.advance(1999);
  const asked = types(world.socket).length;
  await world.clock.advance(1);
  answer(world.socket, [{ id: "a" }]);
  busy();
  query.close();
  client.stop();

  expect(shown).toBe("NOT_AVAILABLE");
  expect(asked).toBe(2);
  expect(types(world.socket)).toEqual(Array(3).fill("live-subscribe q1"));
  expect(world.clock.timersDue).toBe(0);
});

describe("another token", () => {
  test("takes the rows away and asks with it", async () => {
    const storage = createWriteThroughStorage({ "pylon:shop:token": "alice" }, () => undefined);
    const { world, client } = setUp({ token: undefined, appName: "shop", storage });
    const query = client.query(OPEN);
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    storage.set("pylon:shop:token", "bob");
    client.notifySessionChanged();
    const between = query.snapshot;
    world.socket.open();
    change(world.socket, [], [[0, { id: "alices" }]]);

    expect(between).toEqual({ rows: [], loading: true, error: null, complete: false });
    expect(query.rows).toEqual([]);
    expect(world.socket.protocols).toEqual(["bearer.bob"]);
    expect(types(world.socket)).toEqual(["live-subscribe q1"]);
  });

  test("is noticed at the next connection without being told", async () => {
    let token: string | null = "alice";
    const { world, client } = setUp({ token: () => token });
    const query = client.query(OPEN);
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    token = null;
    world.socket.drop();
    const shown = ids(query);
    await world.clock.advance(1000);

    expect(shown).toEqual(["a"]);
    expect(query.rows).toEqual([]);
    expect(world.socket.protocols).toEqual([]);
  });
});

test("a stopped client keeps its rows and closes its socket; started again it goes on", async () => {
  const { world, client } = setUp();
  const query = client.query(OPEN);
  const closed = client.query({ entity: "Other" });
  world.socket.open();
  answer(world.socket, [{ id: "a" }]);
  closed.close();

  client.stop();
  const late = client.query({ entity: "Late" });
  const stopped = { timers: world.clock.timersDue, rows: ids(query), sockets: world.sockets.length };
  client.start();
  world.socket.open();

  expect(stopped).toEqual({ timers: 0, rows: ["a"], sockets: 1 });
  expect(late.loading).toBe(true);
  expect(types(world.socket)).toEqual(["live-subscribe q1", "live-subscribe q3"]);
});

test.each([
  "",
  "[]",
  "{}",
  { type: "live-news" },
  { type: "live-rows", id: "q1", query: 7, seq: 10, rows: "none", complete: true },
  { type: "live-rows", id: "q1", query: 7, seq: 10, rows: [{ name: "without an id" }], complete: true },
  { type: "live-rows", id: "q9", query: 7, seq: 10, rows: [], complete: true },
  { type: "live-diff", query: 7, seq: 12, removed: [1], placed: [], complete: true },
  { type: "live-diff", query: 7, seq: 12, removed: [], placed: [[-1, { id: "x" }]], complete: true },
  { type: "live-error", id: "q1" },
  { seq: 1, entity: "Todo", row_id: "a", kind: "delete" },
])("a message that is none of ours changes nothing: %j", (message) => {
  const { world, client } = setUp();
  const query = client.query(OPEN);
  world.socket.open();
  answer(world.socket, [{ id: "a" }]);
  const before = query.snapshot;

  world.socket.receive(message);

  expect(query.snapshot).toBe(before);
});

test("a host without sockets says that it has none", () => {
  const world = new World();
  const client = new LiveClient({ baseUrl: "http://server" }, { ...world.environment(), WebSocket: undefined });

  expect(client.query(OPEN).error).toMatchObject({ code: "NOT_SUPPORTED" });
  expect(client.connection.kind).toBe("idle");
});

describe("an engine's live queries", () => {
  test("speak as the engine does, and begin anew with another identity", async () => {
    const world = new World();
    const storage = createWriteThroughStorage({ pylon_token: "alice" }, () => undefined);
    const engine = await world.live({ token: undefined, storage, wsUrl: "ws://server/api/sync/ws" });
    const query = engine.live.query(OPEN);
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);
    const url = world.socket.url;

    storage.set("pylon_token", "bob");
    world.session = { ...world.session, user_id: "bob" };
    await engine.notifySessionChanged();

    expect(engine.live).toBe(engine.live);
    expect(url).toBe("ws://server/api/sync/ws");
    expect(query.snapshot).toMatchObject({ rows: [], loading: true });
    expect(world.socket.protocols).toEqual(["bearer.bob"]);
  });

  test("stop with it and go on with it", async () => {
    const world = new World();
    const engine = await world.live();
    const query = engine.live.query(OPEN);
    world.socket.open();
    answer(world.socket, [{ id: "a" }]);

    engine.stop();
    const timers = world.clock.timersDue;
    const kind = engine.live.connection.kind;
    await engine.start();
    await settled();

    expect([timers, kind]).toEqual([0, "idle"]);
    expect(ids(query)).toEqual(["a"]);
    expect(engine.live.connection.kind).toBe("connecting");
    engine.stop();
  });
});
