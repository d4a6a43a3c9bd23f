/** Writing: optimistic changes, the queue on its way to the server, and what the answers do. */

import { describe, expect, test } from "bun:test";

import type { ClientChange, Row } from "../src/protocol.ts";
import { PUSH_CHARS_MAX } from "../src/push.ts";
import { Browser, calm, settled, World } from "./world.ts";

const titles = (rows: Row[]): unknown[] => rows.map((row) => row["title"]);
const opIds = (body: Row): unknown[] => (body["changes"] as ClientChange[]).map((change) => change.op_id);

/** Let pushes fail until told otherwise, and keep their bodies. */
function watchPushes(world: World): Row[] {
  const bodies: Row[] = [];
  const usual = world.routes.get("/api/sync/push");
  world.routes.set("/api/sync/push", (body, url) => {
    bodies.push(body);
    return usual?.(body, url) ?? {};
  });
  return bodies;
}

test("an insert is seen at once, sent, and replaced by the server's row without a second one", async () => {
  const world = new World();
  const engine = await world.live();
  const release = world.hold("/api/sync/push");

  const inserting = engine.insert("Note", { title: "A" });
  const atOnce = titles(engine.store.list("Note"));
  await settled();
  release();
  const id = await inserting;
  world.socket.receive(world.changes[0]);

  expect(atOnce).toEqual(["A"]);
  expect(engine.store.list("Note")).toEqual([{ id, title: "A" }]);
  expect(engine.mutations.pending()).toEqual([]);
  expect(engine.store.acknowledged()).toEqual([]);
});

test("an insert under an id of the app's choice keeps that id", async () => {
  const world = new World();
  const engine = await world.live();

  expect(await engine.insert("Note", { id: "welcome", title: "A" })).toBe("welcome");
  expect(world.changes[0]).toMatchObject({ row_id: "welcome", data: { title: "A" } });
});

test("the request carries the client and each operation's id", async () => {
  const world = new World();
  const bodies = watchPushes(world);
  const engine = await world.live();

  await engine.update("Note", "n1", { title: "B" });

  expect(bodies).toEqual([
    {
      client_id: "cl_test",
      changes: [
        { entity: "Note", row_id: "n1", kind: "update", data: { title: "B" }, op_id: expect.stringMatching(/^mut_/) },
      ],
    },
  ]);
});

test("callers share one push, and what is queued meanwhile follows", async () => {
  const world = new World();
  const bodies = watchPushes(world);
  const engine = await world.live();

  await Promise.all([1, 2, 3].map((n) => engine.update("Note", `n${n}`, { n })));

  expect(bodies.flatMap(opIds)).toHaveLength(3);
  expect(new Set(bodies.flatMap(opIds)).size).toBe(3);
  expect(engine.mutations.pending()).toEqual([]);
});

test("what is queued while the last look's turn is given back is sent as well", async () => {
  const world = new World();
  const browser = new Browser();
  const late: (() => void)[] = [];
  Object.defineProperty(browser, "locks", {
    value: {
      request: async (_: string, action: () => Promise<void>) => {
        await action();
        late.shift()?.();
        await settled();
      },
    },
  });
  world.browser = browser;
  const engine = await world.live();
  late.push(() => void engine.update("Note", "n2", { n: 2 }));

  await engine.update("Note", "n1", { n: 1 });
  await calm();

  expect(world.changes.map(({ row_id }) => row_id)).toEqual(["n1", "n2"]);
  engine.stop();
});

test("one request holds no more text than servers take", async () => {
  const world = new World();
  const bodies = watchPushes(world);
  const engine = await world.live();
  const text = "x".repeat(PUSH_CHARS_MAX / 2);
  for (const id of ["a", "b", "c"]) engine.mutations.add({ entity: "Note", row_id: id, kind: "update", data: { text } });

  await engine.push();

  expect(bodies.map((body) => opIds(body).length)).toEqual([1, 1, 1]);
});

test("two changes queued in one breath go in one request", async () => {
  const world = new World();
  const bodies = watchPushes(world);
  const engine = await world.live();
  world.next("/api/sync/push", new TypeError("offline"));
  await engine.update("Note", "n1", { n: 1 });
  engine.mutations.add({ entity: "Note", row_id: "n2", kind: "delete" });

  await Promise.all([engine.push(), engine.push()]);

  expect(bodies.map((body) => opIds(body).length)).toEqual([2]);
});

describe("a refused change", () => {
  const refuse = (error: string) => ({ body: { applied: 0, errors: [error], cursor: { last_seq: 1 } } });

  test("is rolled back and kept as failed", async () => {
    const world = new World();
    world.commit("insert", "n1", { title: "A" });
    const engine = await world.live();
    world.next("/api/sync/push", refuse("update Note/n1: not yours"));

    await engine.update("Note", "n1", { title: "B" });

    expect(titles(engine.store.list("Note"))).toEqual(["A"]);
    expect(engine.mutations.failed()).toMatchObject([{ error: "update Note/n1: not yours" }]);
    expect(engine.mutations.pending()).toEqual([]);
  });

  test("lets a deleted row come back", async () => {
    const world = new World();
    world.commit("insert", "n1", { title: "A" });
    const engine = await world.live();
    world.next("/api/sync/push", refuse("delete Note/n1: not yours"));

    const deleting = engine.delete("Note", "n1");
    const during = engine.store.list("Note");
    await deleting;

    expect(during).toEqual([]);
    expect(titles(engine.store.list("Note"))).toEqual(["A"]);
  });

  test("in the middle: those before are applied, those behind are sent again", async () => {
    const world = new World();
    const engine = await world.live();
    const bodies = watchPushes(world);
    world.next("/api/sync/push", new TypeError("offline"), {
      body: { applied: 1, errors: ["x"], cursor: { last_seq: 0 } },
    });
    for (const row_id of ["a", "b", "c"]) engine.mutations.add({ entity: "Note", row_id, kind: "delete" });
    const queued = engine.mutations.pending().map(({ id }) => id);

    await engine.push();
    await engine.push();

    expect(engine.mutations.failed().map(({ id, error }) => [id, error])).toEqual([[queued[1], "x"]]);
    expect(bodies.map(opIds)).toEqual([[queued[2]]]);
    expect(engine.mutations.pending()).toEqual([]);
  });
});

describe("a push without an answer", () => {
  test("keeps everything, and tries again under the same ids", async () => {
    const world = new World();
    const engine = await world.live();
    world.next("/api/sync/push", new TypeError("offline"), { status: 503 });
    const bodies = watchPushes(world);

    await engine.update("Note", "n1", { title: "B" });
    const kept = engine.mutations.pending().map(({ id }) => id);
    await world.clock.advance(1000);
    await world.clock.advance(2000);

    expect(world.happened().filter((line) => line.includes("push"))).toEqual([
      "0 POST /api/sync/push",
      "1000 POST /api/sync/push",
      "3000 POST /api/sync/push",
    ]);
    expect(bodies.map(opIds)).toEqual([kept, kept, kept]);
    expect(engine.mutations.pending()).toEqual([]);
  });

  test("is sent as soon as the connection is back", async () => {
    const world = new World();
    const engine = await world.live();
    world.socket.drop();
    world.next("/api/sync/push", { status: 401 });
    await engine.insert("Note", { title: "offline" });

    await world.clock.advance(1000);
    world.socket.open();
    await settled();

    expect(world.changes).toMatchObject([{ kind: "insert", data: { title: "offline" } }]);
  });
});

test("an accepted change that no event confirms is looked for after two seconds", async () => {
  const world = new World();
  world.commit("insert", "n1", { title: "A" });
  const engine = await world.live();

  await engine.update("Note", "n1", { title: "B" });
  const shown = titles(engine.store.list("Note"));
  await world.clock.advance(2000);

  expect(shown).toEqual(["B"]);
  expect(world.happened()).toEqual(["0 POST /api/sync/push", "2000 GET /api/sync/pull?since=1"]);
  expect(engine.store.acknowledged()).toEqual([]);
  expect(titles(engine.store.list("Note"))).toEqual(["B"]);
});

test("an accepted change whose event came first needs no looking for", async () => {
  const world = new World();
  world.commit("insert", "n1", { title: "A" });
  const engine = await world.live();
  const release = world.hold("/api/sync/push");

  const updating = engine.update("Note", "n1", { title: "B" });
  await settled();
  world.socket.receive(world.changes[1]);
  release();
  await updating;
  await world.clock.advance(10_000);

  expect(world.happened()).toEqual(["0 POST /api/sync/push"]);
});

test("an accepted change that another one already overwrote does not come back", async () => {
  const world = new World();
  world.commit("insert", "n1", { title: "A" });
  const engine = await world.live();
  const release = world.hold("/api/sync/push");

  const updating = engine.update("Note", "n1", { title: "mine" });
  await settled();
  world.socket.receive(world.changes[1]);
  world.socket.receive(world.commit("update", "n1", { title: "theirs" }));
  release();
  await updating;

  expect(titles(engine.store.list("Note"))).toEqual(["theirs"]);
});

test("a row the server stored under another id is shown once in the end", async () => {
  const world = new World();
  const engine = await world.live();
  world.routes.set("/api/sync/push", () => {
    const { seq } = world.commit("insert", "server-made", { title: "A" });
    return { body: { applied: 1, errors: [], cursor: { last_seq: seq } } };
  });

  await engine.insert("Note", { title: "A" });
  await world.clock.advance(2000);

  expect(engine.store.list("Note")).toEqual([{ id: "server-made", title: "A" }]);
});
