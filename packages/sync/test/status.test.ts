/** What the engine says of its replica to those who show it. */

import { expect, test } from "bun:test";

import type { SyncEngine } from "../src/engine.ts";
import { createWriteThroughStorage } from "../src/storage.ts";
import { Browser, calm, World } from "./world.ts";

/** Every status there was, in short. */
function watch(engine: SyncEngine): string[] {
  const seen: string[] = [];
  engine.onStatus(() => {
    const { loaded, pulling, error, identity } = engine.status;
    const who = identity === "known" ? "" : `${identity}: `;
    seen.push(`${who}${loaded ? "loaded" : "empty"}${pulling ? " pulling" : ""}${error === null ? "" : ` ${error.message}`}`);
  });
  return seen;
}

test("a first pull that ends well makes the replica loaded", async () => {
  const world = new World();
  const engine = world.engine();
  const seen = watch(engine);

  await engine.pull();

  expect(seen).toEqual(["unknown: empty pulling", "empty pulling", "loaded"]);
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
    "unknown: empty pulling",
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
  expect(engine.status).toEqual({ loaded: true, pulling: false, error: null, identity: "known" });
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

test("whether it is known who we are is told: also when nothing but that could be asked", async () => {
  const world = new World();
  const engine = world.engine();
  world.next("/api/auth/me", new TypeError("offline"));

  await engine.pull();
  const before = engine.status;
  await engine.pull();

  expect(before).toMatchObject({ loaded: true, identity: "unknown" });
  expect(engine.status).toMatchObject({ loaded: true, identity: "known" });
});

test("a saved replica is shown to whom it was filled for, until the server says who that is", async () => {
  const world = new World();
  world.browser = new Browser();
  const first = await world.live();
  first.stop();
  world.next("/api/auth/me", new TypeError("offline"));
  const second = world.engine();

  await second.start();
  await calm();
  const before = second.status.identity;
  await second.refreshResolvedSession();

  expect([before, second.status.identity]).toEqual(["assumed", "known"]);
  second.stop();
});

test("with another token it is not known any more who we are", async () => {
  const world = new World();
  world.storage.set("pylon_token", "t0");
  const engine = await world.live({ token: undefined });
  const seen: string[] = [];
  engine.onStatus(() => seen.push(engine.status.identity));
  world.storage.set("pylon_token", "t1");

  await engine.pull();

  expect(seen[0]).toBe("unknown");
  expect(seen.at(-1)).toBe("known");
});
