/**
 * Writing offline, in two tabs, through reloads and every way in which a request can die.
 *
 * Whatever happens: when all is quiet, each replica shows exactly what the server lets its user read, the queue is
 * empty, and every write that was made reached the server exactly once or is in the queue with its refusal.
 */

import { expect, test } from "bun:test";

import type { SyncEngine } from "../src/engine.ts";
import type { ClientChange, Row } from "../src/protocol.ts";
import { LocalStore } from "../src/store.ts";
import { chanceFrom, pick } from "./chance.ts";
import { Browser, calm, type FakeSocket, type Reply, World } from "./world.ts";

const HISTORIES = Number(process.env["HISTORIES"] ?? 60);
const STEPS = 40;
const HIDDEN = "Secret";

type Chance = () => number;

/** A server that knows what it applied, hides an entity, and answers as badly as a network can. */
class Server {
  readonly world = new World();
  readonly appliedOps: string[] = [];
  readonly #rowIds = new Map<string, string>();
  readonly #rows = new Set<string>();
  /** Whether requests get anywhere. */
  online = true;
  #minted = 0;

  constructor(
    readonly chance: Chance,
    readonly keepsIds: boolean,
  ) {
    const { world } = this;
    world.random = chanceFrom(chance() * 2 ** 32);
    world.pageSize = 3;
    const pull = world.routes.get("/api/sync/pull");
    world.routes.set("/api/sync/pull", async (body, url) => this.#answer(visible((await pull?.(body, url)) ?? {})));
    world.routes.set("/api/sync/push", (body) => this.#push(body));
    const me = world.routes.get("/api/auth/me");
    world.routes.set("/api/auth/me", async (body, url) => this.#answer((await me?.(body, url)) ?? {}));
  }

  #answer(reply: Reply): Reply {
    if (!this.online) throw new TypeError("offline");
    return reply;
  }

  #push(body: Row): Reply {
    if (!this.online) throw new TypeError("offline");
    const fate = this.#settledDown ? 1 : this.chance();
    if (fate < 0.15) return { status: 503 };
    const changes = body["changes"] as ClientChange[];
    const reached = fate < 0.3 ? changes.slice(0, Math.ceil(changes.length * this.chance())) : changes;
    const results = [];
    for (const change of reached) {
      const result = this.#apply(String(body["client_id"]), change);
      results.push(result);
      if (result["status"] === "failed") break;
    }
    // What was applied stays applied, whether the answer arrives or not.
    if (fate < 0.4) throw new TypeError("the connection was lost");
    const applied = results.filter(({ status }) => status !== "failed").length;
    const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
    return { body: { applied, errors, results, cursor: { last_seq: this.world.changes.at(-1)?.seq ?? 0 } } };
  }

  #settledDown = false;
  settleDown(): void {
    this.#settledDown = true;
    this.online = true;
  }

  #apply(client: string, { entity, kind, row_id, data, op_id }: ClientChange) {
    const operation = `${client} ${op_id}`;
    const known = this.#rowIds.get(operation);
    if (known !== undefined) return { op_id, status: "deduped", row_id: known };
    const id = kind === "insert" && !this.keepsIds ? `s${++this.#minted}` : row_id;
    if (kind !== "insert" && !this.#rows.has(id)) {
      return { op_id, status: "failed", row_id, error: `${kind} ${entity}/${row_id}: no such row` };
    }
    if (kind === "delete") this.#rows.delete(id);
    else this.#rows.add(id);
    this.world.commit(kind, id, data, entity);
    this.#rowIds.set(operation, id);
    this.appliedOps.push(String(op_id));
    return { op_id, status: "applied", row_id: id };
  }

  /** Somebody else writes: a row of ours, or one that is hidden from us. */
  commit(): void {
    const living = [...this.#rows];
    if (living.length === 0 || this.chance() < 0.4) this.world.commit("insert", "hidden", {}, HIDDEN);
    else this.world.commit("update", pick(this.chance, living), { theirs: this.chance() });
  }
}

function visible(reply: Reply): Reply {
  const body = reply.body as { changes: { entity: string }[] } | undefined;
  if (body === undefined) return reply;
  return { ...reply, body: { ...body, changes: body.changes.filter(({ entity }) => entity !== HIDDEN) } };
}

class Tab {
  engine: SyncEngine;
  socket: FakeSocket | null = null;
  /** Up to where the server has told this tab's socket. */
  told = 0;
  ids: string[] = [];

  constructor(readonly server: Server) {
    this.engine = this.#open();
  }

  #open(): SyncEngine {
    const { world } = this.server;
    const engine = world.engine();
    void engine.start();
    return engine;
  }

  /** The page goes away, whatever it was doing, and comes back. */
  reload(): void {
    this.engine.stop();
    this.socket = null;
    this.engine = this.#open();
  }

  /** The server sends what is new to an open socket; once in a while an event gets lost. */
  deliver(lossy: boolean): void {
    for (const event of this.server.world.changes) {
      if (event.seq <= this.told) continue;
      this.told = event.seq;
      if (event.entity === HIDDEN || (lossy && this.server.chance() < 0.1)) continue;
      if (this.engine.connected) this.socket?.receive(event);
    }
  }

  write(chance: Chance): void {
    const value = Math.floor(chance() * 100);
    if (this.ids.length === 0 || chance() < 0.4) {
      const parent = this.ids.at(-1);
      void this.engine.insert("Note", { value, ...(parent === undefined ? {} : { parent }) }).then((id) => this.ids.push(id));
    } else if (chance() < 0.8) void this.engine.update("Note", pick(chance, this.ids), { value });
    else void this.engine.delete("Note", pick(chance, this.ids));
  }
}

/** Open the sockets that were asked for; those of engines that have gone are open to nobody. */
function connect(tabs: readonly Tab[], world: World): void {
  for (const socket of world.sockets.splice(0)) {
    const waiting = tabs.filter((tab) => !tab.engine.connected);
    socket.open();
    for (const tab of waiting.filter(({ engine }) => engine.connected)) {
      tab.socket = socket;
      tab.told = world.changes.at(-1)?.seq ?? 0;
    }
  }
}

function sorted(rows: Row[]): Row[] {
  return rows.sort((a, b) => String(a["id"]).localeCompare(String(b["id"])));
}

async function disturb(server: Server, tabs: readonly Tab[], queued: Set<string>): Promise<void> {
  const { chance, world } = server;
  const tab = pick(chance, tabs);
  const what = pick(chance, ["write", "write", "write", "commit", "offline", "online", "reload", "resync", "wait", "drop", "pull"] as const);
  switch (what) {
    case "write":
      tab.write(chance);
      for (const { id } of tab.engine.mutations.pending()) queued.add(id);
      break;
    case "commit":
      server.commit();
      break;
    case "offline":
      server.online = false;
      break;
    case "online":
      server.online = true;
      break;
    case "reload":
      // A write is safe once it is saved; what a page loses in its last breath was never promised.
      await calm();
      tab.reload();
      break;
    case "resync":
      world.next("/api/sync/pull", { status: 410 });
      break;
    case "wait":
      await world.clock.advance(chance() * 4000);
      break;
    case "drop":
      tab.socket?.drop();
      tab.socket = null;
      break;
    case "pull":
      void tab.engine.pull();
      break;
    default:
      what satisfies never;
  }
  if (server.online) connect(tabs, world);
  for (const each of tabs) each.deliver(true);
  if (chance() < 0.5) await calm();
}

/** Everything works, and everybody has time. */
async function quiesce(server: Server, tabs: readonly Tab[]): Promise<void> {
  server.settleDown();
  for (let round = 0; round < 30; round++) {
    await server.world.clock.advance(40_000, calm);
    connect(tabs, server.world);
    for (const tab of tabs) tab.deliver(false);
    await calm();
  }
}

const seeds = Array.from({ length: HISTORIES }, (_, seed) => [seed, seed % 2 === 0, seed % 4 < 2] as const);

test.each(seeds)("nothing is lost or done twice, seed %d, ids kept %p, locks %p", async (seed, keepsIds, locks) => {
  const chance = chanceFrom(seed);
  const server = new Server(chance, keepsIds);
  const { world } = server;
  world.browser = new Browser({ locks });
  const tabs = [new Tab(server), new Tab(server)];
  const queued = new Set<string>();
  await calm();
  connect(tabs, world);
  await calm();

  for (let step = 0; step < STEPS; step++) await disturb(server, tabs, queued);
  // A socket that lost an event cannot know before it hears the next.
  world.commit("insert", "last", { value: 0 });
  await quiesce(server, tabs);

  const expected = new LocalStore();
  expected.applyChanges(world.changes.filter(({ entity }) => entity !== HIDDEN));
  const refused = new Set(tabs.flatMap((tab) => tab.engine.mutations.failed().map(({ id }) => id)));
  for (const tab of tabs) {
    expect(tab.engine.mutations.pending()).toEqual([]);
    expect(sorted(tab.engine.store.list("Note"))).toEqual(sorted(expected.list("Note")));
  }
  expect(server.appliedOps).toHaveLength(new Set(server.appliedOps).size);
  expect([...queued].filter((id) => !refused.has(id)).sort()).toEqual([...server.appliedOps].sort());

  const reloaded = new Tab(server);
  await quiesce(server, [reloaded]);
  expect(sorted(reloaded.engine.store.list("Note"))).toEqual(sorted(expected.list("Note")));
  for (const tab of [...tabs, reloaded]) tab.engine.stop();
});
