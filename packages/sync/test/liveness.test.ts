/** Connections that died without a word, and networks that come back. */

import { describe, expect, test } from "bun:test";

import type { SyncEngine } from "../src/engine.ts";
import { ANSWER_WITHIN_MS, LOOK_EVERY_MS, SILENT_MS } from "../src/liveness.ts";
import { LiveClient } from "../src/live.ts";
import { HIDDEN_MS, pageWakeups, WAKE_WITHIN_MS } from "../src/wakeups.ts";
import { FakeClock, settled, World } from "./world.ts";

const PING = '{"type":"ping"}';

function pings(world: World): number {
  return world.socket.sent.filter((text) => text === PING).length;
}

/** What was done on the network, without when. */
function requests(world: World): string[] {
  return world.happened().map((line) => line.replace(/^\d+ /, ""));
}

describe("a connection on which nothing is heard", () => {
  test("is asked whether it is alive, and left alone when it answers", async () => {
    const world = new World();
    const engine = await world.live();

    await world.clock.advance(4 * SILENT_MS + 1);

    expect(pings(world)).toBe(4);
    expect(engine.connected).toBe(true);
    expect(world.happened()).toEqual([]);
  });

  test("is not asked as long as something is heard", async () => {
    const world = new World();
    await world.live();

    for (let round = 0; round < 10; round++) {
      await world.clock.advance(SILENT_MS - 1);
      world.socket.receive({ type: "topic", topic: "t", data: round });
    }

    expect(pings(world)).toBe(0);
  });

  test("is opened again when a server that answers pings answers no more", async () => {
    const world = new World();
    const engine = await world.live({ reconnectDelay: 100 });
    await world.clock.advance(SILENT_MS);
    const dead = world.socket;
    dead.answersPings = false;

    await world.clock.advance(SILENT_MS + ANSWER_WITHIN_MS);
    expect(engine.connection.kind).toBe("waiting");
    expect(requests(world)).toEqual(["close"]);
    world.commit("insert", "n1", {});
    await world.clock.advance(100);
    world.socket.open();
    await settled();

    expect(world.socket).not.toBe(dead);
    expect(engine.store.get("Note", "n1")).not.toBeNull();
  });

  test("is left once, and not again and again, when the server was replaced by one that knows no pings", async () => {
    const world = new World();
    await world.live({ reconnectDelay: 1 });
    await world.clock.advance(SILENT_MS);

    for (let round = 0; round < 4; round++) {
      world.socket.answersPings = false;
      await world.clock.advance(2 * (SILENT_MS + ANSWER_WITHIN_MS));
      if (world.socket.onopen !== null && !world.socket.sent.includes(PING)) world.socket.open();
    }

    // The first had answered; the second was expected to; the third is not.
    expect(world.sockets).toHaveLength(3);
  });
});

describe("a server that knows no pings", () => {
  async function live(config = {}): Promise<{ world: World; engine: SyncEngine }> {
    const world = new World();
    const engine = await world.live(config);
    world.socket.answersPings = false;
    return { world, engine };
  }

  test("is asked for what is new, which is little, and seldom", async () => {
    const { world, engine } = await live();
    const end = SILENT_MS + ANSWER_WITHIN_MS + 2 * (LOOK_EVERY_MS + ANSWER_WITHIN_MS);

    await world.clock.advance(end);

    expect(requests(world)).toEqual(Array(3).fill("GET /api/sync/pull?since=0"));
    expect(engine.connected).toBe(true);
  });

  test("has lost the connection when there is something new", async () => {
    const { world, engine } = await live();
    world.commit("insert", "n1", {});

    await world.clock.advance(SILENT_MS + ANSWER_WITHIN_MS);

    expect(engine.store.get("Note", "n1")).not.toBeNull();
    expect(engine.connection.kind).toBe("waiting");
  });

  test("has lost it when it does not answer at all, and not when it asks for calm", async () => {
    const { world, engine } = await live();
    world.next("/api/sync/pull", { status: 429, headers: { "Retry-After": "20" } });
    await world.clock.advance(SILENT_MS + ANSWER_WITHIN_MS);
    expect(engine.connected).toBe(true);
    await world.clock.advance(30_000);
    world.next("/api/sync/pull", new TypeError("offline"));

    await world.clock.advance(LOOK_EVERY_MS);

    expect(engine.connected).toBe(false);
  });

  test("is left alone when it says something meanwhile", async () => {
    const { world, engine } = await live();
    const answer = world.hold("/api/sync/pull");
    await world.clock.advance(SILENT_MS + ANSWER_WITHIN_MS);
    world.socket.receive(world.commit("insert", "n1", {}));
    answer();
    await settled();
    expect(engine.connected).toBe(true);
    const asked = pings(world);
    await world.clock.advance(SILENT_MS);

    // It is not looked at as seldom as one that says nothing.
    expect(pings(world)).toBe(asked + 1);
  });
});

test("what was stopped asks nothing any more", async () => {
  const world = new World();
  const engine = await world.live();

  engine.stop();

  expect(world.clock.timersDue).toBe(0);
  expect(world.sleepers.size).toBe(0);
});

test("a live query's connection is given up when it does not answer", async () => {
  const world = new World();
  const client = new LiveClient({ baseUrl: "http://server", token: "t0", reconnectDelay: 1 }, world.environment());
  client.query({ entity: "Note" });
  world.socket.open();
  world.socket.answersPings = false;

  await world.clock.advance(SILENT_MS + ANSWER_WITHIN_MS + 1);

  expect(world.sockets).toHaveLength(2);
  client.stop();
  expect(world.clock.timersDue).toBe(0);
  expect(world.sleepers.size).toBe(0);
});

describe("when the network is back", () => {
  test("there is no waiting for the next attempt, and many do not come at the same moment", async () => {
    const world = new World();
    const engine = await world.live({ reconnectDelay: 30_000 });
    world.socket.drop();
    await settled();
    world.happened();
    world.chance = 0.25;

    world.wake();
    world.wake();
    await world.clock.advance(WAKE_WITHIN_MS);
    expect(world.happened()).toEqual([`${0.25 * WAKE_WITHIN_MS} connect ws://server:4322`]);
    world.socket.drop();

    // An attempt that fails waits as it would have.
    expect(engine.connection).toMatchObject({ kind: "waiting", attempt: 2 });
  });

  test("what waits is sent, also where the connection held", async () => {
    const world = new World();
    const engine = await world.live({ reconnectDelay: 30_000 });
    world.next("/api/sync/push", new TypeError("offline"));
    await engine.insert("Note", { title: "A" });
    world.happened();

    world.wake();
    await world.clock.advance(WAKE_WITHIN_MS);

    expect(requests(world)).toContain("POST /api/sync/push");
    expect(engine.mutations.pending()).toEqual([]);
  });

  test("an open connection that is dead is found out at once", async () => {
    const world = new World();
    const engine = await world.live({ reconnectDelay: 1 });
    world.socket.answersPings = false;
    world.commit("insert", "n1", {});

    engine.wake();
    await world.clock.advance(WAKE_WITHIN_MS + 1);

    expect(engine.store.get("Note", "n1")).not.toBeNull();
    expect(world.sockets).toHaveLength(2);
  });

  test("a client that polls polls", async () => {
    const world = new World();
    const engine = world.engine({ transport: "poll", pollInterval: 60_000 });
    await engine.start();
    world.happened();

    world.wake();
    await world.clock.advance(WAKE_WITHIN_MS);

    expect(requests(world)).toContain("GET /api/sync/pull?since=0");
    engine.stop();
  });
});

describe("a page wakes", () => {
  class FakeDocument extends EventTarget {
    visibilityState: DocumentVisibilityState = "visible";

    show(visibilityState: DocumentVisibilityState): void {
      this.visibilityState = visibilityState;
      this.dispatchEvent(new Event("visibilitychange"));
    }
  }

  function setUp() {
    const clock = new FakeClock();
    const page = Object.assign(new EventTarget(), { document: new FakeDocument() });
    let wakes = 0;
    const stop = pageWakeups(page, clock, () => (wakes += 1));
    return { clock, page, stop, wakes: () => wakes };
  }

  test("when the network is back", () => {
    const { page, stop, wakes } = setUp();

    page.dispatchEvent(new Event("online"));
    expect(wakes()).toBe(1);
    stop();
    page.dispatchEvent(new Event("online"));

    expect(wakes()).toBe(1);
  });

  test.each([
    [HIDDEN_MS - 1, 0],
    [HIDDEN_MS, 1],
  ])("when it is seen again after %d ms: %d times", async (hiddenMs, expected) => {
    const { clock, page, wakes } = setUp();

    page.document.show("hidden");
    await clock.advance(hiddenMs);
    page.document.show("visible");

    expect(wakes()).toBe(expected);
  });

  test("and a host without any of it is no page", () => {
    expect(() => pageWakeups({}, new FakeClock(), () => undefined)()).not.toThrow();
  });
});
