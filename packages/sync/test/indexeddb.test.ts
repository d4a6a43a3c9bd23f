/** The database itself: its layout, its transactions, and what becomes of it when others want it. */

import { describe, expect, test } from "bun:test";
import { IDBFactory } from "fake-indexeddb";

import { IndexedDBPersistence, persistChange } from "../src/indexeddb.ts";
import type { PendingMutation } from "../src/mutations.ts";
import { ReplicaTakenError } from "../src/persistence.ts";
import type { ChangeEvent, ResolvedSession } from "../src/protocol.ts";

const change = (seq: number, row_id: string, data?: Record<string, unknown>): ChangeEvent => ({
  seq,
  entity: "Note",
  row_id,
  kind: data === undefined ? "delete" : "insert",
  data,
  timestamp: "",
});
const mutation = (id: string): PendingMutation => ({
  id,
  change: { entity: "Note", row_id: "n1", kind: "update", data: {}, op_id: id },
  status: "pending",
});
const session = (userId: string): ResolvedSession => ({ userId, tenantId: null, isAdmin: false, roles: [] });
const owner = (userId: string) => ({ session: session(userId), token: null });

async function opened(factory: IDBFactory, appName = "shop"): Promise<IndexedDBPersistence> {
  const persistence = new IndexedDBPersistence(appName, () => factory);
  await persistence.open();
  return persistence;
}

test("is laid out as published", async () => {
  const factory = new IDBFactory();
  const { connection } = await opened(factory);

  const transaction = connection?.transaction(["entities", "cursors", "pendingMutations"]);
  const keyPaths = ["cursors", "entities", "pendingMutations"].map((name) => transaction?.objectStore(name).keyPath);

  expect(connection?.name).toBe("pylon_sync_shop");
  expect(connection?.version).toBe(2);
  expect([...(connection?.objectStoreNames ?? [])]).toEqual(["cursors", "entities", "pendingMutations"]);
  expect(keyPaths).toEqual(["key", "_key", "id"]);
});

test("keeps rows and cursor as published", async () => {
  const persistence = await opened(new IDBFactory());

  await persistence.saveRow("Note", "n1", { id: "n1", title: "A" });
  await persistence.saveCursor({ last_seq: 7 });
  const records = await new Promise((resolve) => {
    const request = persistence.connection?.transaction("entities").objectStore("entities").getAll();
    if (request !== undefined) request.onsuccess = () => resolve(request.result);
  });

  expect(records).toEqual([{ _key: "Note:n1", entity: "Note", id: "n1", data: { id: "n1", title: "A" } }]);
  expect(await persistence.getRow("Note", "n1")).toEqual({ id: "n1", title: "A" });
  expect(await persistence.loadCursor()).toEqual({ last_seq: 7 });
});

test("stores an event whole, and removes the row of a delete", async () => {
  const persistence = await opened(new IDBFactory());
  await persistChange(persistence, change(1, "a", { title: "A", old: true }));
  await persistChange(persistence, change(2, "b", { title: "B" }));

  await persistChange(persistence, { ...change(3, "a", { title: "A2" }), kind: "update" });
  await persistChange(persistence, change(4, "b"));

  expect(await persistence.loadAll("Note")).toEqual([{ id: "a", title: "A2" }]);
  expect(await persistence.getRow("Note", "b")).toBeNull();
  expect(await persistence.loadAll("Tag")).toEqual([]);
});

describe("the queue", () => {
  test("comes back in the order it was made, whatever the ids, and whoever wrote", async () => {
    const factory = new IDBFactory();
    const [here, there] = [await opened(factory), await opened(factory)];

    await here.mutations.saveDelta({ put: [mutation("z"), mutation("m")], remove: [], aliases: [] });
    await there.mutations.saveDelta({ put: [mutation("a")], remove: [], aliases: [] });
    await here.mutations.saveDelta({ put: [{ ...mutation("z"), status: "failed", error: "no" }], remove: ["m"], aliases: [] });

    expect((await there.mutations.loadAll()).map(({ id, status }) => [id, status])).toEqual([
      ["z", "failed"],
      ["a", "pending"],
    ]);
  });

  test("is replaced by a snapshot", async () => {
    const { mutations } = await opened(new IDBFactory());
    await mutations.saveAll([mutation("b"), mutation("a")]);

    await mutations.saveAll([mutation("c"), mutation("a")]);

    expect(await mutations.loadAll()).toEqual([mutation("c"), mutation("a")]);
  });

  test("survives the replica's end", async () => {
    const persistence = await opened(new IDBFactory());
    await persistence.mutations.saveAll([mutation("a")]);

    await persistence.assign(owner("bob"));

    expect(await persistence.mutations.loadAll()).toHaveLength(1);
  });
});

describe("two tabs", () => {
  async function tabs(): Promise<[IndexedDBPersistence, IndexedDBPersistence]> {
    const factory = new IDBFactory();
    const [one, two] = [await opened(factory), await opened(factory)];
    await one.assign(owner("alice"));
    await two.loadOwner();
    return [one, two];
  }

  test("one behind does not overwrite what the other wrote later", async () => {
    const [one, two] = await tabs();

    await one.saveBatch({ changes: [change(2, "a", { v: 2 })], from: 0, to: 2 });
    await two.saveBatch({ changes: [change(1, "a", { v: 1 })], from: 0, to: 1 });

    expect(await two.loadAll("Note")).toEqual([{ id: "a", v: 2 }]);
    expect(await two.loadCursor()).toEqual({ last_seq: 2 });
  });

  test("one ahead adds what the other has not", async () => {
    const [one, two] = await tabs();

    await one.saveBatch({ changes: [change(1, "a", { v: 1 })], from: 0, to: 1 });
    await two.saveBatch({ changes: [change(1, "a", { v: 0 }), change(2, "b", { v: 2 })], from: 0, to: 2 });

    expect(await two.loadAll("Note")).toEqual([{ id: "a", v: 1 }, { id: "b", v: 2 }]);
  });

  test("one does not write into a replica that the other has emptied or given away", async () => {
    const [one, two] = await tabs();
    await two.assign(owner("bob"));

    const writing = one.saveBatch({ changes: [change(1, "secret", {})], from: 0, to: 1 });

    expect(writing).rejects.toBeInstanceOf(ReplicaTakenError);
    expect(one.clear()).rejects.toBeInstanceOf(ReplicaTakenError);
    expect(one.renewOwner(owner("alice"))).rejects.toBeInstanceOf(ReplicaTakenError);
    await writing.catch(() => undefined);
    expect(await two.loadAllEntities()).toEqual({});
    expect(await two.loadOwner()).toEqual(owner("bob"));
  });

  test("one holds the lease until it is dropped or runs out", async () => {
    const [one, two] = await tabs();

    expect(await one.takePushing("one", 0, 100)).toBe(true);
    expect(await two.takePushing("two", 50, 150)).toBe(false);
    expect(await one.takePushing("one", 50, 150)).toBe(true);
    expect(await two.takePushing("two", 151, 251)).toBe(true);
    await one.dropPushing("one");
    expect(await one.takePushing("one", 200, 300)).toBe(false);
    await two.dropPushing("two");
    expect(await one.takePushing("one", 200, 300)).toBe(true);
  });
});

test("a batch is written whole or not at all", async () => {
  const persistence = await opened(new IDBFactory());
  await persistence.assign(owner("alice"));

  const writing = persistence.saveBatch({
    changes: [change(1, "a", { v: 1 }), change(2, "b", { v: () => "no data" })],
    from: 0,
    to: 2,
  });
  await writing.catch(() => undefined);

  expect(writing).rejects.toThrow();
  expect(await persistence.loadAllEntities()).toEqual({});
  expect(await persistence.loadCursor()).toBeNull();
});

test("makes way for a newer version, and fails from then on", async () => {
  const factory = new IDBFactory();
  const persistence = await opened(factory);

  await new Promise<void>((resolve) => {
    const request = factory.open("pylon_sync_shop", 3);
    request.onsuccess = () => resolve(request.result.close());
  });

  expect(persistence.connection).toBeNull();
  expect(persistence.saveCursor({ last_seq: 1 })).rejects.toThrow("not open");
});

test("does not wait for an older version that stays open", async () => {
  const factory = new IDBFactory();
  const old = await new Promise<IDBDatabase>((resolve) => {
    const request = factory.open("pylon_sync_shop", 1);
    request.onsuccess = () => resolve(request.result);
  });

  const opening = opened(factory);
  await opening.catch(() => undefined);

  expect(opening).rejects.toThrow("another tab");
  old.close();
});
