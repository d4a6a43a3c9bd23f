/** Identity: token, tenant, and what a change of either does to replica, queue and connection. */

import { expect, test } from "bun:test";

import { settled, World } from "./world.ts";

test("without a token in the config, the app's own in storage is used", async () => {
  const world = new World();
  world.storage.set("pylon:shop:token", "stored");
  const engine = world.engine({ token: undefined, appName: "shop" });

  await engine.start();

  expect(world.socket.protocols).toEqual(["bearer.stored"]);
});

test("another token empties the replica, pulls from the start and reconnects", async () => {
  const world = new World();
  world.storage.set("pylon_token", "first");
  world.commit("insert", "a", { title: "A" });
  const engine = await world.live({ token: undefined });
  world.session = { ...world.session, user_id: "bob" };

  world.storage.set("pylon_token", "second");
  await engine.pull();

  expect(world.happened()).toEqual([
    "0 close",
    "0 connect ws://server:4322",
    "0 GET /api/auth/me",
    "0 GET /api/sync/pull?since=0",
  ]);
  expect(world.socket.protocols).toEqual(["bearer.second"]);
  expect(engine.resolvedSession().userId).toBe("bob");
});

test("another user does not send what the one before had queued", async () => {
  const world = new World();
  world.storage.set("pylon_token", "first");
  const engine = await world.live({ token: undefined });
  world.next("/api/sync/push", { status: 403 });
  await engine.insert("Note", { title: "alice's" });

  world.storage.set("pylon_token", "second");
  world.session = { ...world.session, user_id: "bob" };
  await engine.push();

  expect(world.changes).toEqual([]);
  expect(engine.mutations.pending()).toEqual([]);
  expect(engine.store.list("Note")).toEqual([]);
});

test("signing in keeps what was queued before", async () => {
  const world = new World();
  world.session = { user_id: null, is_admin: false, roles: [] };
  const engine = await world.live({ token: undefined });
  world.next("/api/sync/push", { status: 403 });
  await engine.insert("Note", { title: "before" });

  world.storage.set("pylon_token", "first");
  world.session = { user_id: "alice", is_admin: false, roles: [] };
  await engine.push();

  expect(world.changes).toMatchObject([{ data: { title: "before" } }]);
});

test("nothing is pushed while the server has not said as whom", async () => {
  const world = new World();
  const engine = await world.live({ token: undefined });
  world.storage.set("pylon_token", "second");
  world.next("/api/auth/me", { status: 503 });

  await engine.update("Note", "n1", { title: "B" });

  expect(world.happened().filter((line) => line.includes("push"))).toEqual([]);
});

test("another tenant empties the replica and fills it again", async () => {
  const world = new World();
  world.commit("insert", "a", { title: "A" });
  const engine = await world.live();
  world.session = { ...world.session, tenant_id: "acme" };

  await engine.notifySessionChanged();
  const emptied = engine.store.list("Note");
  world.socket.open();
  await settled();

  expect(emptied).toEqual([]);
  expect(engine.store.list("Note")).toHaveLength(1);
  expect(engine.resolvedSession().tenantId).toBe("acme");
});

test("listeners hear of a changed session, and only then", async () => {
  const world = new World();
  const engine = await world.live();
  let calls = 0;
  engine.store.subscribe(() => (calls += 1));

  await engine.notifySessionChanged();
  world.session = { ...world.session, roles: ["editor"] };
  await engine.notifySessionChanged();

  expect(calls).toBe(1);
});
