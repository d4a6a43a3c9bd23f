import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { StrictMode } from "react";
import { connectShard, useShard } from "../src/index.ts";
import { shardUrl } from "../src/shard.ts";
import { decodeBinaryFrame, decodeTextFrame } from "../src/shardFrame.ts";
import { StandIn } from "./standIn.ts";

let server: StandIn;

beforeEach(() => {
  server = new StandIn();
});

afterEach(async () => {
  cleanup();
  await server.stop();
});

function frame(tick: number, json: string): Uint8Array {
  const bytes = new Uint8Array([...new Array<number>(8).fill(0), ...new TextEncoder().encode(json)]);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(tick));
  return bytes;
}

const where = (): { subscriberId: string; baseUrl: string; wsPort: number; reconnectBackoffMs: number } => ({
  subscriberId: "ann", baseUrl: "127.0.0.1", wsPort: server.port, reconnectBackoffMs: 5,
});

test.each([
  [1, "42", 42],
  [258, '{"n":7,"p":[]}', { n: 7, p: [] }],
  [2 ** 32 + 2, "null", null],
  [3, '"grüße"', "grüße"],
])("a binary frame of tick %p and snapshot %s", (tick, json, snapshot) => {
  expect(decodeBinaryFrame<unknown>(frame(tick, json).buffer as ArrayBuffer)).toEqual({ tick, snapshot });
});

test.each([["short", new ArrayBuffer(7)], ["no JSON", frame(1, "{").buffer as ArrayBuffer]])("a frame that is %s throws", (_name, buffer) => {
  expect(() => decodeBinaryFrame(buffer)).toThrow();
});

test.each([
  ['{"tick":5,"snapshot":null}', { tick: 5, snapshot: null }],
  ['{"tick":5}', null],
  ['{"tick":"5","snapshot":1}', null],
  ["5", null],
])("a text frame %s", (text, expected) => {
  expect(decodeTextFrame<unknown>(text)).toEqual(expected);
});

test.each([
  [{}, "ws://localhost:4324/?shard=a%26b&sid=u"],
  [{ baseUrl: "game.example", wsPort: 1 }, "ws://game.example:1/?shard=a%26b&sid=u"],
  [{ baseUrl: "https://game.example:8080/x" }, "ws://game.example:4324/?shard=a%26b&sid=u"],
  [{ wsUrl: "wss://x/?shard=1" }, "wss://x/?shard=1"],
])("with %p the shard is at %s", (options, url) => {
  expect(shardUrl("a&b", { subscriberId: "u", ...options })).toBe(url);
});

test("the token goes as a subprotocol, inputs are numbered, snapshots come in", async () => {
  const shard = connectShard<{ n: number }, { dx: number }>("m1", { ...where(), token: "a/(b)" });
  const seen: unknown[] = [];
  shard.onSnapshot((snapshot, tick) => seen.push([snapshot, tick]));
  await new Promise<void>((resolve) => void shard.onOpen(resolve));
  expect(shard.connected).toBe(true);
  expect(server.sockets[0]?.data.protocol).toBe("bearer.a%2F%28b%29");
  expect(server.sockets[0]?.data.url.search).toBe("?shard=m1&sid=ann");

  expect([shard.send({ dx: 1 }), shard.send({ dx: 2 }), shard.send({ dx: 3 })]).toEqual([1, 2, 3]);
  server.sockets[0]?.sendBinary(frame(7, '{"n":1}'));
  server.sockets[0]?.sendText('{"tick":8,"snapshot":{"n":2}}');

  await waitFor(() => expect(seen).toEqual([[{ n: 1 }, 7], [{ n: 2 }, 8]]));
  expect(server.received).toEqual([1, 2, 3].map((n) => ({ input: { dx: n }, client_seq: n })));
  shard.close();
});

test("what cannot be sent is reported and numbered, what cannot be read is reported", async () => {
  const shard = connectShard("m1", where());
  const errors: string[] = [];
  shard.onError(({ message }) => errors.push(message));
  expect(shard.send(1)).toBe(1);
  expect(errors).toEqual(["the shard is not connected: the input was not sent"]);
  server.opened = (socket) => socket.sendBinary(Uint8Array.of(1, 2));

  await waitFor(() => expect(errors).toHaveLength(2));

  expect(shard.send(2)).toBe(2);
  shard.close();
});

test("a lost connection is made again with growing delays, and numbers go on", async () => {
  server.opened = (socket) => socket.close(1013, "full");
  const shard = connectShard("m1", { ...where(), reconnectBackoffMs: 10 });
  const closedAt: number[] = [];
  shard.onClose(() => closedAt.push(performance.now()));
  await waitFor(() => expect(closedAt.length).toBeGreaterThanOrEqual(4), { timeout: 4000 });
  const [first = 0, second = 0, third = 0, fourth = 0] = closedAt;
  expect(second - first).toBeGreaterThan(9);
  expect(third - second).toBeGreaterThan(19);
  expect(fourth - third).toBeGreaterThan(39);

  server.opened = (socket) => socket.sendText('{"tick":1,"snapshot":1}');
  await new Promise<void>((resolve) => void shard.onSnapshot(() => resolve()));
  shard.close();
});

test("a frame is a recovery: the next delay is the first one again", async () => {
  server.opened = (socket) => {
    if (server.sockets.length < 4) socket.close(1013);
    else socket.sendText('{"tick":1,"snapshot":1}');
  };
  const shard = connectShard("m1", { ...where(), reconnectBackoffMs: 20 });
  await new Promise<void>((resolve) => void shard.onSnapshot(() => resolve()));
  const lostAt = performance.now();
  server.sockets[3]?.close(1013);

  await waitFor(() => expect(server.sockets).toHaveLength(5), { interval: 5 });

  expect(performance.now() - lostAt).toBeLessThan(120);
  shard.close();
});

test.each([["refused", { autoReconnect: true }, 1008], ["not to be repeated", { autoReconnect: false }, 1001]])(
  "a connection that is %s is not made again",
  async (_name, options, code) => {
    server.opened = (socket) => socket.close(code, "go away");
    const shard = connectShard("m1", { ...where(), ...options });
    await new Promise<void>((resolve) => void shard.onClose(resolve));

    await Bun.sleep(60);

    expect(server.sockets).toHaveLength(1);
  },
);

test("an address that is none is reported to who asks right after", async () => {
  const shard = connectShard("m1", { subscriberId: "u", wsUrl: "not a url" });

  expect(await new Promise((resolve) => void shard.onError(resolve))).toBeInstanceOf(Error);
});

test("the hook follows a shard, connects anew to another, and closes when it goes", async () => {
  server.opened = (socket) => socket.sendText(`{"tick":1,"snapshot":"${socket.data.url.searchParams.get("shard")}"}`);
  const { result, rerender, unmount } = renderHook(({ id }) => useShard<string, number>(id, where()), {
    initialProps: { id: "one" },
    wrapper: StrictMode,
  });
  expect(result.current).toMatchObject({ snapshot: null, tick: 0, connected: false, error: null });
  await waitFor(() => expect(result.current).toMatchObject({ snapshot: "one", tick: 1, connected: true }));
  const { send } = result.current;
  act(() => expect(send(5)).toBe(1));

  rerender({ id: "two" });
  await waitFor(() => expect(result.current.snapshot).toBe("two"));
  expect(result.current.send).toBe(send);

  unmount();
  expect(send(6)).toBe(0);
  await waitFor(() => expect(server.sockets.every(({ readyState }) => readyState === WebSocket.CLOSED)).toBe(true));
});
