/** What the engine says of its replica to those who show it. */

import { expect, test } from "bun:test";

import type { SyncEngine } from "../src/engine.ts";
import { createWriteThroughStorage } from "../src/storage.ts";
import { Browser, calm, World } from "./world.ts";

/** Every status there was, in short. */
function watch(engine: SyncEngine): string[] {
  const seen: string[] = [];
  engine.onStatus(() => {
    const { loaded, pulling, error } = engine.status;
    seen.push(`${loaded ? "loaded" : "empty"}${pulling ? " pulling" : ""}${error === null ? "" : ` ${error.message}`}`);
  });
  return seen;
}

test("a first pull that ends well makes the replica loaded", async () => {
  const world = new World();
  const engine = world.engine();
  const seen = watch(engine);

  await engine.pull();

  expect(seen).toEqual(["empty pulling", "loaded"]);
});

test("one that fails says how, until one succeeds", async () => {
  const world = new World();
  const engine = world.engine();
  const seen = watch(engine);
  world.next("/api/sync/pull", new TypeError("offline"), { status: 503, body: { error: { message: "closed" } } });

  await engine.pull();
  await engine.pull();
  await engine.pull();

  expect(seen).toEqual([
    "empty pulling",
    "empty offline",
    "empty pulling offline",
    "empty closed",
    "empty pulling closed",
    "loaded",
  ]);
});

test("what was loaded stays so when a later pull fails", async () => {
  const world = new World();
  const engine = await world.live();
  world.next("/api/sync/pull", new TypeError("offline"));

  await engine.pull();

  expect(engine.status).toMatchObject({ loaded: true, error: { message: "offline" } });
});

test("the status is the same object until it changes", async () => {
  const world = new World();
  const engine = await world.live();

  const before = engine.status;
  engine.setPresence({});

  expect(engine.status).toBe(before);
});

test("a listener that pulls does not pull twice", async () => {
  const world = new World();
  const engine = world.engine();
  engine.onStatus(() => engine.status.pulling && void engine.pull());

  await engine.pull();

  expect(world.happened().filter((line) => line.includes("pull"))).toHaveLength(1);
});

test("another identity begins with nothing loaded", async () => {
  const world = new World();
  const storage = createWriteThroughStorage({ pylon_token: "alice" }, () => undefined);
  const engine = await world.live({ token: undefined, storage });
  const answer = world.hold("/api/sync/pull");

  storage.set("pylon_token", "bob");
  const pulling = engine.pull();
  await calm();
  const during = engine.status.loaded;
  answer();
  await pulling;

  expect(during).toBe(false);
  expect(engine.status.loaded).toBe(true);
});

test("a server that has forgotten the cursor leaves nothing loaded until it has answered", async () => {
  const world = new World();
  world.commit("insert", "n1", {});
  const engine = await world.live();
  world.next("/api/sync/pull", { status: 410 }, { status: 410 });

  await engine.pull();
  const refused = engine.status;
  await engine.pull();

  expect(refused.loaded).toBe(false);
  expect(refused.error).toMatchObject({ status: 410 });
  expect(engine.status).toEqual({ loaded: true, pulling: false, error: null });
});

test("a saved replica is loaded without the server", async () => {
  const world = new World();
  world.browser = new Browser();
  world.commit("insert", "n1", {});
  const first = await world.live();
  await calm();
  first.stop();
  world.routes.set("/api/sync/pull", () => {
    throw new TypeError("offline");
  });

  const second = world.engine();
  await second.start();

  expect(second.status).toMatchObject({ loaded: true, pulling: false, error: { message: "offline" } });
  second.stop();
});
