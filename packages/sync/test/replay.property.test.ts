/**
 * Two properties, each tried on many random histories; a failure names its seed.
 *
 * Replay: applying any suffix of the log again, once or more, changes nothing.
 * Convergence: whatever the connection does to live events and pulls, the replica ends equal to the server.
 */

import { expect, test } from "bun:test";

import type { ChangeEvent, ChangeKind, Row } from "../src/protocol.ts";
import { LocalStore } from "../src/store.ts";
import { chanceFrom, pick } from "./chance.ts";
import { settled, World } from "./world.ts";

const HISTORIES = 150;
const ROWS = ["a", "b", "c", "d"];

function contents(store: LocalStore): Row[] {
  return store.list("Note").sort((a, b) => String(a["id"]).localeCompare(String(b["id"])));
}

/** A change a server could make now, given which rows there are. */
function nextChange(chance: () => number, living: Set<string>): { kind: ChangeKind; row: string; data?: Row } {
  const row = pick(chance, ROWS);
  const data = { [pick(chance, ["x", "y"])]: Math.floor(chance() * 10) };
  if (!living.has(row)) {
    living.add(row);
    return { kind: "insert", row, data };
  }
  if (chance() < 0.3) {
    living.delete(row);
    return { kind: "delete", row };
  }
  return { kind: "update", row, data };
}

function randomLog(chance: () => number, length: number): ChangeEvent[] {
  const living = new Set<string>();
  return Array.from({ length }, (_, i) => {
    const { kind, row, data } = nextChange(chance, living);
    return { seq: i + 1, entity: "Note", row_id: row, kind, data, timestamp: "" };
  });
}

test.each(Array.from({ length: HISTORIES }, (_, seed) => seed))("replaying a suffix changes nothing, seed %d", (seed) => {
  const chance = chanceFrom(seed);
  const log = randomLog(chance, 30);
  const store = new LocalStore();
  store.applyChanges(log);
  const once = structuredClone(contents(store));

  for (let round = 0; round < 4; round++) store.applyChanges(log.slice(Math.floor(chance() * log.length)));

  expect(contents(store)).toEqual(once);
});

/** What may happen to a client between two changes on the server. */
async function disturb(world: World, chance: () => number): Promise<void> {
  const kind = pick(chance, ["deliver", "deliver", "drop", "open", "wait", "fail", "resync", "hold"] as const);
  switch (kind) {
    case "deliver":
      break;
    case "drop":
      world.socket.drop();
      break;
    case "open":
      world.socket.open();
      break;
    case "wait":
      await world.clock.advance(chance() * 5000);
      break;
    case "fail":
      world.next("/api/sync/pull", { status: 503 });
      break;
    case "resync":
      world.next("/api/sync/pull", { status: 410 });
      break;
    case "hold":
      setImmediate(world.hold("/api/sync/pull"));
      break;
    default:
      kind satisfies never;
  }
}

test.each(Array.from({ length: HISTORIES }, (_, seed) => seed))("the replica converges, seed %d", async (seed) => {
  const chance = chanceFrom(seed);
  const world = new World();
  world.chance = 0.5;
  world.pageSize = 3;
  const engine = world.engine();
  void engine.start();
  await settled();
  const living = new Set<string>();
  const open = new Set<unknown>();

  for (let step = 0; step < 60; step++) {
    const socket = world.socket;
    await disturb(world, chance);
    if (engine.connected) open.add(world.socket);
    const { kind, row, data } = nextChange(chance, living);
    const event = world.commit(kind, row, data);
    // A server sends every event to a socket that is open, and none to one that opens later.
    if (engine.connected && open.has(socket)) world.socket.receive(event);
    if (chance() < 0.5) await settled();
  }
  await world.clock.advance(60_000);
  if (!engine.connected) world.socket.open();
  // Failures still in store are met one retry at a time, up to half a minute apart.
  await world.clock.advance(3_600_000);

  const expected = new LocalStore();
  expected.applyChanges(world.changes);
  expect(contents(engine.store)).toEqual(contents(expected));
  engine.stop();
});
