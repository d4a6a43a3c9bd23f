import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { StrictMode } from "react";
import { useRoom } from "../src/index.ts";
import { freshClient } from "./fakes.ts";
import { StandIn } from "./standIn.ts";

let server: StandIn;
let members: Map<string, unknown>;

interface Body {
  room: string;
  user_id: string;
  data?: unknown;
  topic?: string;
}

const peers = (): unknown[] => [...members].map(([user_id, data]) => ({ user_id, data, joined_at: "1Z" }));

beforeEach(() => {
  freshClient({ pylon_token: "t" });
  server = new StandIn();
  members = new Map();
  const on = (route: string, handler: (body: Body) => unknown): void => {
    server.routes.set(`POST /api/rooms/${route}`, (body) => handler(body as Body));
  };
  on("join", ({ room, user_id, data }) => {
    const before = peers();
    members.set(user_id, data);
    return { joined: room, snapshot: { type: "snapshot", room, peers: before } };
  });
  on("leave", ({ room, user_id }) => ({ left: room, was_present: members.delete(user_id) }));
  on("presence", ({ user_id, data }) => ({ updated: members.set(user_id, data).has(user_id) }));
  on("broadcast", () => ({ broadcasted: true }));
  server.routes.set("GET /api/rooms/channel%3A7", () => ({ room: "channel:7", members: peers(), count: members.size }));
});

afterEach(async () => {
  cleanup();
  await server.stop();
});

const options = (more: object = {}): { baseUrl: string; heartbeatInterval: number } => ({
  baseUrl: server.url, heartbeatInterval: 10, ...more,
});

test("two users see each other, what they say of themselves, and each other's going", async () => {
  const ann = renderHook(() => useRoom("channel:7", "ann", options({ initialPresence: { name: "Ann" } })));
  await waitFor(() => expect(ann.result.current.isConnected).toBe(true));
  const bob = renderHook(() => useRoom("channel:7", "bob", options()));
  await waitFor(() => expect(bob.result.current.peers).toEqual([{ user_id: "ann", data: { name: "Ann" }, joined_at: "1Z" }]));
  await waitFor(() => expect(ann.result.current.peers).toMatchObject([{ user_id: "bob", data: {} }]));

  await act(() => bob.result.current.setPresence({ typing: true }));
  await waitFor(() => expect(ann.result.current.peers).toMatchObject([{ data: { typing: true } }]));
  await act(() => bob.result.current.broadcast("wave", 1));

  bob.unmount();
  await waitFor(() => expect(ann.result.current.peers).toEqual([]));
  expect(server.asked).toContain("POST /api/rooms/broadcast");
});

test("StrictMode's two mounts are one join and, at the end, one leave", async () => {
  const { result, unmount } = renderHook(() => useRoom("channel:7", "ann", options()), { wrapper: StrictMode });
  await waitFor(() => expect(result.current.isConnected).toBe(true));
  unmount();
  await waitFor(() => expect(members.size).toBe(0));

  const posts = server.asked.filter((name) => name.startsWith("POST"));
  expect(posts).toEqual(["POST /api/rooms/join", "POST /api/rooms/leave"]);
});

test("several components of one user are one member, until the last has gone", async () => {
  const one = renderHook(() => useRoom("channel:7", "ann", options()));
  const two = renderHook(() => useRoom("channel:7", "ann", options()));
  await waitFor(() => expect([one, two].map(({ result }) => result.current.isConnected)).toEqual([true, true]));

  one.unmount();
  const polls = server.asked.length;
  await waitFor(() => expect(server.asked.length).toBeGreaterThan(polls + 2));
  expect([...members.keys()]).toEqual(["ann"]);

  two.unmount();
  await waitFor(() => expect(members.size).toBe(0));
  expect(server.asked.filter((name) => name === "POST /api/rooms/join")).toHaveLength(1);
});

test("who was dropped by the server comes back, as they last were", async () => {
  const { result } = renderHook(() => useRoom("channel:7", "ann", options()));
  await waitFor(() => expect(result.current.isConnected).toBe(true));
  await act(() => result.current.setPresence({ mood: "fine" }));
  const polls = server.asked.length;
  await waitFor(() => expect(server.asked.length).toBeGreaterThan(polls + 2));

  members.clear();

  await waitFor(() => expect(members.get("ann")).toEqual({ mood: "fine" }));
});

test("who left by themselves stays out", async () => {
  const { result } = renderHook(() => useRoom("channel:7", "ann", options()));
  await waitFor(() => expect(result.current.isConnected).toBe(true));

  await act(() => result.current.leave());
  await Bun.sleep(50);

  expect(result.current).toMatchObject({ isConnected: false, peers: [], error: null });
  expect(members.size).toBe(0);
});

test("a refusal is shown as the server put it", async () => {
  server.routes.set("POST /api/rooms/join", () =>
    Response.json({ error: { code: "ROOM_LIMIT_REACHED", message: "no more than 10000 rooms" } }, { status: 429 }));
  const { result, unmount } = renderHook(() => useRoom("channel:7", "ann", options()));

  await waitFor(() => expect(result.current.error?.message).toBe("no more than 10000 rooms"));

  expect(result.current.isConnected).toBe(false);
  unmount();
  await Bun.sleep(20);
  expect(server.asked).not.toContain("POST /api/rooms/leave");
});

test("another room is left for it", async () => {
  const { result, rerender } = renderHook(({ room }) => useRoom(room, "ann", options()), { initialProps: { room: "channel:7" } });
  await waitFor(() => expect(result.current.isConnected).toBe(true));

  rerender({ room: "other" });

  await waitFor(() =>
    expect(server.asked.filter((name) => name.startsWith("POST"))).toEqual([
      "POST /api/rooms/join", "POST /api/rooms/join", "POST /api/rooms/leave",
    ]),
  );
});
