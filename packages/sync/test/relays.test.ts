/** What clients say to each other: presence, topics, rooms. */

import { expect, mock, test } from "bun:test";

import { createWriteThroughStorage } from "../src/storage.ts";
import { settled, World } from "./world.ts";

const said = (world: World): unknown[] => world.socket.sent.map((text) => JSON.parse(text));
const presence = (data: unknown): unknown => ({ type: "presence", event: "update", data });

test("presence and topics are sent when connected; topics are dropped when not", async () => {
  const world = new World();
  const engine = await world.live();

  engine.setPresence({ typing: true });
  engine.publishTopic("chat", { n: 1 });
  world.socket.drop();
  engine.publishTopic("chat", { n: 2 });
  await world.clock.advance(1000);
  const first = world.sockets[0]?.sent.map((text) => JSON.parse(text));
  world.socket.open();

  expect(first).toEqual([presence({ typing: true }), { type: "topic", topic: "chat", data: { n: 1 } }]);
  expect(said(world)).toEqual([presence({ typing: true })]);
});

test("presence is announced on every new connection, the last one set", async () => {
  const world = new World();
  const engine = world.engine();
  engine.setPresence({ page: 1 });
  await engine.start();
  world.socket.open();
  const first = said(world);
  engine.setPresence({ page: 2 });
  world.socket.drop();
  engine.setPresence({ page: 3 });
  await world.clock.advance(1000);
  world.socket.open();
  await settled();

  expect(first).toEqual([presence({ page: 1 })]);
  expect(said(world)).toEqual([presence({ page: 3 })]);
});

test("presence is not announced in the name of another user", async () => {
  const world = new World();
  const storage = createWriteThroughStorage({ pylon_token: "alice" }, () => undefined);
  const engine = await world.live({ token: undefined, storage });
  engine.setPresence({ name: "Alice" });

  storage.set("pylon_token", "bob");
  world.session = { ...world.session, user_id: "bob" };
  await engine.notifySessionChanged();
  world.socket.open();
  await settled();

  expect(said(world)).toEqual([]);
});

test("presence survives another token of the same user", async () => {
  const world = new World();
  const storage = createWriteThroughStorage({ pylon_token: "one" }, () => undefined);
  const engine = await world.live({ token: undefined, storage });
  engine.setPresence({ name: "Alice" });
  const me = world.routes.get("/api/auth/me") ?? (() => ({}));
  world.routes.set("/api/auth/me", () => ({ status: 503 }));

  storage.set("pylon_token", "two");
  await engine.notifySessionChanged();
  world.socket.open();
  await settled();
  const before = said(world);
  world.routes.set("/api/auth/me", me);
  await engine.pull();

  expect(before).toEqual([]);
  expect(said(world)).toEqual([presence({ name: "Alice" })]);
});

test("presence of others is heard, and the end of connections", async () => {
  const world = new World();
  const engine = await world.live();
  const heard: unknown[] = [];
  const stop = engine.onPresence((message) => heard.push(message));
  const changes = mock(() => undefined);
  engine.store.subscribe(changes);

  world.socket.receive({ type: "presence", event: "update", data: { x: 1 }, from: "bob" });
  world.socket.receive({ type: "presence", event: "disconnect", clientId: 7, from: "bob" });
  world.socket.receive({ type: "presence", event: "disconnect", clientId: 9 });
  world.socket.receive({ type: "presence", event: "wave", from: "bob" });
  stop();
  world.socket.receive({ type: "presence", event: "disconnect", clientId: 8 });

  expect(heard).toEqual([
    { event: "update", from: "bob", data: { x: 1 } },
    { event: "disconnect", clientId: 7, from: "bob" },
    { event: "disconnect", clientId: 9, from: null },
  ]);
  expect(changes).toHaveBeenCalledTimes(5);
});

test("a topic is heard by those who listen to it", async () => {
  const world = new World();
  const engine = await world.live();
  const heard: unknown[] = [];
  const stop = engine.onTopic("chat", (data, from) => heard.push([data, from]));
  engine.onTopic("other", () => heard.push("other"));

  world.socket.receive({ type: "topic", topic: "chat", data: { text: "hi" }, from: "bob" });
  world.socket.receive({ type: "topic", topic: "chat", data: 2 });
  stop();
  world.socket.receive({ type: "topic", topic: "chat", data: 3 });

  expect(heard).toEqual([
    [{ text: "hi" }, "bob"],
    [2, null],
  ]);
});

test.each([
  { type: "join", room: "r", user_id: "u" },
  { type: "join", room: "r", user_id: "u", data: { x: 1 } },
  { type: "leave", room: "r", user_id: "u" },
  { type: "presence", room: "r", user_id: "u", data: { x: 1 } },
  { type: "broadcast", room: "r", topic: "t", data: 1 },
  { type: "broadcast", room: "r", sender: "u", topic: "t", data: 1 },
])("a room event is heard as it is: %j", async (event) => {
  const world = new World();
  const engine = await world.live();
  const heard: unknown[] = [];
  engine.onRoomEvent((message) => heard.push(message));
  engine.onPresence((message) => heard.push(message));

  world.socket.receive({ ...event, more: true });

  expect(heard).toEqual([event]);
});
