/** The live connection: its states, its delays, and what it does with channels it has left. */

import { describe, expect, spyOn, test } from "bun:test";

import { Backoff, BACKOFF_CAP_MS } from "../src/backoff.ts";
import {
  bearerProtocol,
  type ChannelEvents,
  Connection,
  dialWebSocket,
} from "../src/transport.ts";
import { FakeClock, FakeSocket } from "./world.ts";

function setUp(random: () => number = () => 1) {
  const clock = new FakeClock();
  const log: string[] = [];
  const channels: ChannelEvents[] = [];
  const note = (what: string): void => void log.push(`${clock.now()} ${what}`);
  const dial = (events: ChannelEvents) => {
    note("dial");
    channels.push(events);
    return { send: (text: string) => note(`sent ${text}`), close: () => note("closed"), check: () => note("check") };
  };
  const handlers = {
    opened: () => note("opened"),
    text: (text: string) => note(`text ${text}`),
    binary: (bytes: Uint8Array) => note(`binary ${bytes.length}`),
    lost: (wasOpen: boolean) => note(wasOpen ? "lost" : "failed"),
  };
  const connection = new Connection(dial, handlers, clock, new Backoff(1000, random));
  const channel = (): ChannelEvents => channels.at(-1) as ChannelEvents;
  return { clock, log, connection, channels, channel };
}

test("a lost connection is opened again, later each time", async () => {
  const { clock, log, connection, channel } = setUp();

  connection.start();
  for (let attempt = 0; attempt < 4; attempt++) {
    channel().lost();
    await clock.advance(BACKOFF_CAP_MS);
  }

  const dials = log.filter((line) => line.endsWith("dial"));
  expect(dials).toEqual(["0 dial", "1000 dial", "32000 dial", "64000 dial", "98000 dial"]);
});

test("the states follow the picture", async () => {
  const { clock, connection, channel } = setUp();
  const states: string[] = [];
  connection.subscribe(() => states.push(connection.state.kind));

  connection.start();
  channel().opened();
  channel().lost();
  await clock.advance(1000);
  connection.stop();

  expect(states).toEqual(["connecting", "open", "waiting", "connecting", "idle"]);
});

test.each([
  [4_999, 2],
  [5_000, 1],
])("a connection that lasted %d ms makes the next attempt number %d", async (lasted, attempt) => {
  const { clock, connection, channel } = setUp();
  connection.start();
  channel().lost();
  await clock.advance(1000);
  channel().opened();

  await clock.advance(lasted);
  channel().lost();

  expect(connection.state).toMatchObject({ kind: "waiting", attempt });
});

test("stopping closes the channel, cancels the timer, and may be done twice", async () => {
  const { clock, log, connection, channel } = setUp();
  connection.start();
  channel().opened();

  connection.stop();
  connection.stop();
  channel().lost();
  channel().text("late");
  await clock.advance(60_000);

  expect(log).toEqual(["0 dial", "0 opened", "0 closed"]);
  expect(clock.timersDue).toBe(0);
});

test("a restart opens a new channel at once and hears nothing more of the old one", () => {
  const { log, connection, channels, channel } = setUp();
  connection.start();
  channel().opened();

  connection.restart();
  channels[0]?.lost();
  channels[0]?.text("late");

  expect(log).toEqual(["0 dial", "0 opened", "0 closed", "0 dial"]);
});

test("only an open connection sends", () => {
  const { log, connection, channel } = setUp();

  const before = connection.send("a");
  connection.start();
  channel().opened();
  const during = connection.send("b");

  expect([before, during]).toEqual([false, true]);
  expect(log.at(-1)).toBe("0 sent b");
});

test("a host that cannot open a channel is tried again", async () => {
  const warned = spyOn(console, "warn").mockImplementation(() => undefined);
  const clock = new FakeClock();
  const handlers = { opened() {}, text() {}, binary() {}, lost() {} };
  let tries = 0;
  const dial = (): never => {
    tries += 1;
    throw new Error("blocked by the host");
  };
  const connection = new Connection(dial, handlers, clock, new Backoff(1000, () => 1));

  connection.start();
  await clock.advance(1000);

  expect(tries).toBe(2);
  expect(warned).toHaveBeenCalledTimes(2);
  warned.mockRestore();
});

describe("backoff", () => {
  test("lies within its bounds and its mean grows up to the cap", () => {
    const means = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((attempts) => {
      const samples = Array.from({ length: 400 }, () => {
        const backoff = new Backoff(1000, Math.random);
        for (let attempt = 1; attempt < attempts; attempt++) backoff.next();
        return backoff.next();
      });
      expect(Math.min(...samples)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...samples)).toBeLessThanOrEqual(BACKOFF_CAP_MS);
      return samples.reduce((sum, sample) => sum + sample) / samples.length;
    });

    for (const [i, mean] of means.slice(0, 5).entries()) expect(means[i + 1]).toBeGreaterThan(mean);
  });
});

describe("the WebSocket", () => {
  function dialled(token: string | null) {
    const opened: FakeSocket[] = [];
    const Socket = class extends FakeSocket {
      constructor(url: string, protocols: string[] = []) {
        super(url, protocols, () => undefined);
        opened.push(this);
      }
    };
    const heard: unknown[] = [];
    dialWebSocket(Socket, "ws://server/ws", () => token)({
      opened() {},
      text: (text) => void heard.push(text),
      binary: (bytes) => void heard.push([...bytes]),
      lost() {},
    });
    return { socket: opened[0] as FakeSocket, heard };
  }

  test.each([
    [null, []],
    ["abc", ["bearer.abc"]],
  ])("offers token %p as %p", (token, protocols) => {
    expect(dialled(token).socket.protocols).toEqual(protocols);
  });

  test("gives text and bytes apart", () => {
    const { socket, heard } = dialled("abc");

    socket.receive("hello");
    socket.receive(new Uint8Array([1, 2]).buffer);

    expect(socket.binaryType).toBe("arraybuffer");
    expect(heard).toEqual(["hello", [1, 2]]);
  });

  test("escapes all that a protocol name may not hold", () => {
    expect(bearerProtocol("a b/(ü)+=")).toBe("bearer.a%20b%2F%28%C3%BC%29%2B%3D");
  });
});
