/** Against a running server, whose address is in PYLON_TEST_URL; skipped without it. */

import { afterEach, describe, expect, test } from "bun:test";

import { createLiveClient, createSyncEngine, createWriteThroughStorage, type SyncEngine } from "../src/index.ts";

const URL_GIVEN = process.env["PYLON_TEST_URL"];
const BASE = URL_GIVEN ?? "";
const WS = `${BASE.replace("http", "ws")}/api/sync/ws`;
const WITHIN_MS = 10_000;

interface Todo {
  id: string;
  title: string;
  done: boolean;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

async function guest(): Promise<string> {
  const response = await fetch(`${BASE}/api/auth/guest`, { method: "POST" });
  return ((await response.json()) as { token: string }).token;
}

function engine(token: string, transport: "websocket" | "sse" = "websocket"): SyncEngine {
  const storage = createWriteThroughStorage(null, () => undefined);
  const made = createSyncEngine(BASE, { token, storage, transport, wsUrl: WS, sseUrl: `${BASE}/events` });
  cleanups.push(() => made.stop());
  return made;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + WITHIN_MS;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${what}`);
    await Bun.sleep(5);
  }
}

describe.skipIf(URL_GIVEN === undefined)("with a server", () => {
  test.each(["websocket", "sse"] as const)("what one writes the other sees, by %s", async (transport) => {
    const token = await guest();
    const writer = engine(token);
    const reader = engine(token, transport);
    await Promise.all([writer.start(), reader.start()]);
    await until("the reader is connected", () => reader.connection.kind === "open");

    const id = await writer.insert("Todo", { title: transport, done: false });
    await until("the row is there", () => reader.store.get("Todo", id) !== null);
    await writer.update("Todo", id, { done: true });
    await until("the row is done", () => reader.store.get<Todo>("Todo", id)?.done === true);
    await writer.delete("Todo", id);
    await until("the row is gone", () => reader.store.get("Todo", id) === null);

    expect(writer.mutations.pending()).toEqual([]);
    expect(reader.status).toEqual({ loaded: true, pulling: false, error: null, identity: "known" });
  });

  test("a live query has its rows in order, and keeps them so", async () => {
    const token = await guest();
    const writer = engine(token);
    await writer.start();
    const list = crypto.randomUUID();
    const client = createLiveClient(BASE, { token, wsUrl: WS });
    cleanups.push(() => client.stop());
    const spec = { entity: "Task", where: { list, done: false }, order: { title: "asc" }, limit: 2 } as const;
    const query = client.query<Todo>(spec);
    const titles = (): string => query.rows.map(({ title }) => title).join("");

    await until("the empty answer", () => !query.loading && query.error === null);
    const b = await writer.insert("Task", { list, title: "b", done: false });
    const d = await writer.insert("Task", { list, title: "d", done: false });
    await until("two rows", () => titles() === "bd");
    const [kept] = query.rows;
    await writer.insert("Task", { list, title: "c", done: false });
    await until("the one between, and the last cut off", () => titles() === "bc" && !query.complete);
    const same = query.rows[0] === kept;
    await writer.update("Task", b, { done: true });
    await until("the first gone, and the last back", () => titles() === "cd" && query.complete);
    await writer.delete("Task", d);
    await until("one left", () => titles() === "c");
    const second = client.query<Todo>(spec);

    expect(same).toBe(true);
    expect(second.rows).toBe(query.rows);
    await expectFresh(token, spec, query.rows);
  });

  test("a live query that is refused says why", async () => {
    const client = createLiveClient(BASE, { token: await guest(), wsUrl: WS });
    cleanups.push(() => client.stop());
    const query = client.query({ entity: "NoSuchEntity" });

    await until("a refusal", () => query.error !== null && query.error.code !== "DISCONNECTED");

    expect(query.error?.code).toBe("ENTITY_NOT_FOUND");
    expect(query.loading).toBe(false);
  });

  test("presence and topics reach others, and a new connection is told of presence again", async () => {
    const [one, two] = [engine(await guest()), engine(await guest())];
    await Promise.all([one.start(), two.start()]);
    await until("both are connected", () => one.connected && two.connected);
    const heard: unknown[] = [];
    two.onPresence((message) => message.event === "update" && heard.push(message.data));
    two.onTopic("chat", (data) => heard.push(data));

    one.setPresence({ x: 1 });
    one.publishTopic("chat", "hello");
    await until("both messages", () => heard.length === 2);
    one.stop();
    await one.start();
    await until("presence again", () => heard.length === 3);

    expect(heard).toEqual([{ x: 1 }, "hello", { x: 1 }]);
  });

  test("a write that the server refuses comes off the screen, and those around it stay", async () => {
    const token = await guest();
    const writer = engine(token);
    await writer.start();

    const changes = [
      writer.insert("Task", { list: "r", title: "first", done: false }),
      writer.insert("Task", { list: "r", title: "wrong", done: "not a bool" }),
      writer.insert("Task", { list: "r", title: "last", done: false }),
    ];
    await Promise.all(changes);
    await until("nothing waits", () => writer.mutations.pending().length === 0);
    await writer.pull();

    const mine = writer.store.list<Todo & { list: string }>("Task").filter(({ list }) => list === "r");
    expect(mine.map(({ title }) => title).sort()).toEqual(["first", "last"]);
    expect(writer.mutations.failed()).toHaveLength(1);
  });
});

async function expectFresh(token: string, spec: { entity: string; where: object; order: object; limit: number }, rows: readonly unknown[]): Promise<void> {
  const { entity, where, order, limit } = spec;
  const body = { ...where, $order: order, $limit: limit };
  expect(await engine(token).request(`/api/query/${entity}`, { body })).toEqual([...rows]);
}
