/** What comes over the socket beside rows: live queries, presence, topics, what happens in rooms. */

import { act, cleanup, renderHook, renderToString, waitFor } from "./dom.ts";
import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { StrictMode } from "react";
import {
  createLiveClient, createSyncEngine, db, init, type PresenceMessage, type RoomEvent, type SyncEngine, useLiveQuery, usePresence,
  useRoomEvents, useTopic,
} from "../src/index.ts";
import { GONE_AFTER_MS, LEFT_AFTER_MS, PresenceRoster, REPEAT_MS } from "../src/presenceRoster.ts";
import { freshClient, memoryStorage } from "./fakes.ts";
import { StandIn } from "./standIn.ts";

let server: StandIn;
const engines: SyncEngine[] = [];

beforeEach(() => {
  server = new StandIn();
  server.routes.set("GET /api/auth/me", (_body, request) => {
    const user = request.headers.get("Authorization")?.replace("Bearer ", "") ?? "ann";
    return { user_id: user, is_admin: false, roles: [] };
  });
  server.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
  freshClient();
  init({ baseUrl: server.url, wsUrl: wsUrl(), reconnectDelay: 1 });
});

afterEach(async () => {
  cleanup();
  for (const engine of [db.sync, ...engines.splice(0)]) engine.stop();
  await server.stop();
});

function wsUrl(): string {
  return `${server.url.replace("http", "ws")}/api/sync/ws`;
}

/** Another user's client. The server relays, as the real one does, with the sender's name. */
async function connect(user: string): Promise<SyncEngine> {
  const engine = createSyncEngine(server.url, { token: user, wsUrl: wsUrl(), storage: memoryStorage(), reconnectDelay: 1 });
  engines.push(engine);
  await engine.start();
  await waitFor(() => expect(engine.connected).toBe(true));
  return engine;
}

function relay(): void {
  server.message = (value, from) => {
    const sender = from.data.protocol.replace("bearer.", "") || "ann";
    for (const socket of server.sockets) socket.send(JSON.stringify({ ...(value as object), from: sender }));
  };
}

interface Asked {
  type: string;
  id: string;
  entity?: string;
}

function asked(type: string): Asked[] {
  return (server.received as Asked[]).filter((message) => message.type === type);
}

/** Say something to everybody who is connected. */
function say(message: object): void {
  for (const socket of server.sockets) socket.send(JSON.stringify(message));
}

test("a live query shows what the server selects, and follows it, without a replica", async () => {
  const query = { where: { done: false }, order: { title: "asc" }, limit: 2 } as const;
  const { result, unmount } = renderHook(() => db.useLiveQuery<{ id: string; title: string }>("Todo", query), { wrapper: StrictMode });
  expect(result.current).toEqual({ data: [], loading: true, error: null, complete: false });
  await waitFor(() => expect(asked("live-subscribe")).toHaveLength(1));
  const { id, ...rest } = asked("live-subscribe")[0]!;
  expect(rest).toEqual({ type: "live-subscribe", entity: "Todo", ...query });

  say({ type: "live-rows", id, query: 1, seq: 5, rows: [{ id: "a", title: "a" }, { id: "b", title: "b" }], complete: false });
  await waitFor(() => expect(result.current).toMatchObject({ data: [{ id: "a" }, { id: "b" }], loading: false, complete: false }));
  const [a] = result.current.data;
  say({ type: "live-diff", query: 1, seq: 6, removed: ["b"], placed: [[1, { id: "c", title: "c" }]], complete: true });
  await waitFor(() => expect(result.current.data.map((row) => row.id)).toEqual(["a", "c"]));

  expect(result.current.data[0]).toBe(a!);
  expect(result.current.complete).toBe(true);
  expect(server.asked).toEqual([]);
  unmount();
  await waitFor(() => expect(asked("live-unsubscribe")).toHaveLength(1), { timeout: 3000 });
});

test("components that ask the same share one subscription; a refusal is shown with the server's code", async () => {
  const client = createLiveClient(server.url, { wsUrl: wsUrl(), storage: memoryStorage() });
  const one = renderHook(() => useLiveQuery(client, "Todo", { limit: 5 }));
  const two = renderHook(() => useLiveQuery(client, "Todo", { limit: 5 }));
  await waitFor(() => expect(asked("live-subscribe")).toHaveLength(1));

  say({ type: "live-error", id: asked("live-subscribe")[0]!.id, code: "POLICY_DENIED", message: "not for you" });

  for (const { result } of [one, two]) {
    await waitFor(() => expect(result.current).toMatchObject({ loading: false, error: { code: "POLICY_DENIED", message: "not for you" } }));
  }
  client.stop();
});

test("another question is another query, also with an engine of one's own", async () => {
  const engine = await connect("bob");
  const { result, rerender } = renderHook(({ entity }) => useLiveQuery(engine, entity), { initialProps: { entity: "A" } });
  await waitFor(() => expect(asked("live-subscribe").map(({ entity }) => entity)).toEqual(["A"]));
  say({ type: "live-rows", id: asked("live-subscribe")[0]!.id, query: 1, seq: 1, rows: [{ id: "a" }], complete: true });
  await waitFor(() => expect(result.current.data).toEqual([{ id: "a" }]));

  rerender({ entity: "B" });

  expect(result.current).toMatchObject({ data: [], loading: true });
  await waitFor(() => expect(asked("live-subscribe").map(({ entity }) => entity)).toEqual(["A", "B"]));
});

test("a server renders a live query as loading, and asks for nothing", async () => {
  const List = (): string => String(db.useLiveQuery("Todo").loading);

  expect(renderToString(<List />)).toBe("true");
  await Bun.sleep(10);
  expect(server.sockets).toHaveLength(0);
});

test("those who share their presence see each other, whoever came first, until they say goodbye", async () => {
  relay();
  const bob = await connect("bob");
  const ours = renderHook(() => db.usePresence<{ at: number }>({ at: 1 }));
  const theirs = renderHook(() => usePresence<{ at: number }>(bob, { at: 2 }), { wrapper: StrictMode });

  await waitFor(() => expect(ours.result.current.peers).toEqual([{ userId: "bob", data: { at: 2 } }]));
  await waitFor(() => expect(theirs.result.current.peers).toEqual([{ userId: "ann", data: { at: 1 } }]), { timeout: 3000 });
  act(() => theirs.result.current.setPresence({ at: 3 }));
  await waitFor(() => expect(ours.result.current.peers).toEqual([{ userId: "bob", data: { at: 3 } }]));
  theirs.unmount();

  await waitFor(() => expect(ours.result.current.peers).toEqual([]));
});

/** A roster of ann's, what it said, and the way to have it hear something. */
function rosterOfAnn() {
  const said: unknown[] = [];
  let hear: Parameters<SyncEngine["onPresence"]>[0] = () => undefined;
  const sync = {
    onPresence: (listener: typeof hear) => ((hear = listener), () => undefined),
    setPresence: (data: unknown) => void said.push(data),
    resolvedSession: () => ({ userId: "ann" }),
  } as unknown as SyncEngine;
  const roster = new PresenceRoster(sync);
  const stop = roster.subscribe(() => undefined);
  const hearOf: typeof hear = (message) => hear(message);
  return { roster, said, stop, hear: hearOf };
}

test("whose connection ended is gone, unless another page of theirs says something", () => {
  jest.useFakeTimers();
  const { roster, stop, hear } = rosterOfAnn();
  for (const from of ["bob", "eve"]) hear({ event: "update", from, data: { at: 1 } });

  for (const from of ["bob", "eve"]) hear({ event: "disconnect", clientId: 1, from });
  jest.advanceTimersByTime(LEFT_AFTER_MS - 1);
  expect(roster.getSnapshot()).toHaveLength(2);
  hear({ event: "update", from: "eve", data: { at: 1 } });
  jest.advanceTimersByTime(LEFT_AFTER_MS);

  expect(roster.getSnapshot()).toEqual([{ userId: "eve", data: { at: 1 } }]);
  stop();
  jest.useRealTimers();
});

test.each<[what: string, message: PresenceMessage]>([
  ["that its connection ended", { event: "disconnect", clientId: 1, from: "ann" }],
  ["its goodbye", { event: "update", from: "ann", data: {} }],
])("who hears of another page of their own %s says that they are still there", (_what, message) => {
  jest.useFakeTimers();
  const { roster, said, stop, hear } = rosterOfAnn();
  roster.share({ at: 1 });
  said.length = 0;

  hear(message);
  jest.advanceTimersByTime(LEFT_AFTER_MS / 2);

  expect(said).toEqual([{ at: 1 }]);
  stop();
  jest.useRealTimers();
});

test("a page that is closed says goodbye, and one that comes back from the cache says where it is", () => {
  const { roster, said, stop } = rosterOfAnn();
  window.dispatchEvent(new window.Event("pagehide"));
  roster.share({ at: 1 });

  window.dispatchEvent(new window.Event("pagehide"));
  window.dispatchEvent(new window.Event("pageshow"));
  stop();
  window.dispatchEvent(new window.Event("pagehide"));

  expect(said).toEqual([{ at: 1 }, {}, { at: 1 }]);
});

test("presence is repeated, and who has not been heard of for a while is gone", () => {
  jest.useFakeTimers();
  const { roster, said, stop, hear } = rosterOfAnn();
  roster.share({ at: 1 });
  hear({ event: "update", from: "bob", data: { at: 2 } });
  hear({ event: "update", from: "ann", data: { at: 1 } });
  hear({ event: "disconnect", clientId: 3, from: null });
  expect(roster.getSnapshot()).toEqual([{ userId: "bob", data: { at: 2 } }]);

  jest.advanceTimersByTime(GONE_AFTER_MS + REPEAT_MS);
  expect(roster.getSnapshot()).toEqual([]);
  expect(said).toEqual(Array.from({ length: 5 }, () => ({ at: 1 })));
  stop();
  jest.advanceTimersByTime(REPEAT_MS * 3);
  expect(said).toHaveLength(5);
  jest.useRealTimers();
});

test("a topic carries messages to everybody who listens to it, in order, with the sender's name", async () => {
  relay();
  const bob = await connect("bob");
  const heard: unknown[] = [];
  const { result, rerender } = renderHook(({ topic }) => db.useTopic<string>(topic, ({ data }) => heard.push(data)), {
    initialProps: { topic: "chat" },
  });
  const theirs = renderHook(() => useTopic<string>(bob, "chat"));
  await waitFor(() => expect(db.sync.connected).toBe(true));
  theirs.result.current.publish("one");
  theirs.result.current.publish("two");
  bob.publishTopic("other", "unheard");

  await waitFor(() => expect(result.current.message).toEqual({ data: "two", from: "bob" }));
  expect(heard).toEqual(["one", "two"]);
  rerender({ topic: "other" });
  expect(result.current.message).toBeNull();
});

test("what happens in a room is heard by those who listen to that room", async () => {
  const heard: RoomEvent[] = [];
  renderHook(() => useRoomEvents(db.sync, "r1", (event) => heard.push(event)));
  await waitFor(() => expect(db.sync.connected).toBe(true));

  say({ type: "broadcast", room: "r1", sender: "bob", topic: "hi", data: 1 });
  say({ type: "join", room: "r2", user_id: "bob" });
  say({ type: "leave", room: "r1", user_id: "bob" });

  await waitFor(() => expect(heard).toHaveLength(2));
  expect(heard).toEqual([
    { type: "broadcast", room: "r1", sender: "bob", topic: "hi", data: 1 },
    { type: "leave", room: "r1", user_id: "bob" },
  ]);
});
