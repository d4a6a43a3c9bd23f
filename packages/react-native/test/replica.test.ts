/** What a reload finds again on a device, for each way of keeping it. */

import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSyncEngine, type ReplicaPersistence, type SyncEngine } from "@pylonsync/sync";
import { memoryStorage } from "../../react/test/fakes.ts";
import { createAsyncStorageReplica, createExpoSQLiteReplica, type Storage } from "../src/index.ts";
import { Device } from "./device.ts";
import { ReplicaServer } from "./replicaServer.ts";
import { DeviceDatabase } from "./sqlite.ts";

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 3000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come to that in time");
    await Bun.sleep(1);
  }
}

interface Disk {
  /** As the app finds it after a start. */
  open(): ReplicaPersistence;
  /** The write of this fails from now on. */
  break(what: "rows" | "cursor"): void;
  mend(): void;
  remove(): void;
}

function asyncStorageDisk(): Disk {
  const device = new Device();
  return {
    open: () => createAsyncStorageReplica("default", async () => device),
    break: (what) => void (device.broken = `/${what}`),
    mend: () => void (device.broken = null),
    remove: () => undefined,
  };
}

function sqliteDisk(): Disk {
  const folder = mkdtempSync(join(tmpdir(), "pylon-replica-"));
  const opened: DeviceDatabase[] = [];
  let broken: string | null = null;
  return {
    open() {
      const database = new DeviceDatabase(join(folder, "replica.db"));
      database.broken = broken;
      opened.push(database);
      return createExpoSQLiteReplica(database);
    },
    break(what) {
      broken = what === "rows" ? "INTO pylon_rows" : "INTO pylon_notes";
      for (const database of opened) database.broken = broken;
    },
    mend() {
      broken = null;
    },
    remove() {
      for (const database of opened) database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describe.each([["AsyncStorage", asyncStorageDisk], ["SQLite", sqliteDisk]] as const)("%s", (_name, makeDisk) => {
  let disk: Disk;
  let server: ReplicaServer;
  let storage: Storage;
  let engine: SyncEngine;
  /** Sees what is on the disk. */
  let reader: ReplicaPersistence;

  beforeEach(async () => {
    disk = makeDisk();
    reader = disk.open();
    await reader.open?.();
    server = new ReplicaServer();
    storage = memoryStorage({ pylon_token: "ann" });
    engine = launch();
  });

  afterEach(async () => {
    engine.stop();
    await server.stop();
    disk.remove();
  });

  function launch(baseUrl = server.url): SyncEngine {
    return createSyncEngine(baseUrl, { storage, transport: "poll", pollInterval: 60_000, persistence: disk.open() });
  }

  /** The app is ended and started again. */
  async function relaunch(baseUrl?: string): Promise<void> {
    await saved();
    engine.stop();
    engine = launch(baseUrl);
    await engine.start();
  }

  /** Everything that was given to the disk has reached it. */
  async function saved(): Promise<void> {
    await engine.mutations.saved();
    const { last_seq } = engine.getCursor();
    if (last_seq > 0) await until(async () => (await reader.loadCursor())?.last_seq === last_seq);
  }

  function titles(): unknown[] {
    return engine.store.list("Todo").map(({ title }) => title).sort();
  }

  const NOWHERE = "http://127.0.0.1:1";

  test("rows, cursor and queued writes are there again, without the server", async () => {
    server.insert("ann", "Todo", "1", { title: "milk" });
    server.insert("ann", "Todo", "2", { title: "honey" });
    await engine.start();
    const { last_seq } = engine.getCursor();
    server.refusing = true;
    await engine.update("Todo", "1", { title: "oat milk" });
    await engine.insert("Todo", { title: "bread" });

    await relaunch(NOWHERE);

    expect(titles()).toEqual(["bread", "honey", "oat milk"]);
    expect(engine.getCursor()).toEqual({ last_seq });
    expect(engine.mutations.pending().map(({ change }) => change.kind)).toEqual(["update", "insert"]);
  });

  test("what was queued is sent after a restart, in order and once", async () => {
    await engine.start();
    server.refusing = true;
    const id = await engine.insert("Todo", { title: "a" });
    await engine.update("Todo", id, { title: "b" });
    server.refusing = false;

    await relaunch();
    await engine.push();
    await relaunch();

    expect(server.rows("ann", "Todo")).toEqual([{ id, title: "b" }]);
    expect(engine.mutations.pending()).toEqual([]);
    expect(server.pushed).toHaveLength(2);
  });

  test("another user sees nothing of it, offline or not, and what they wrote waits for them", async () => {
    server.insert("ann", "Todo", "1", { title: "ann's" });
    server.insert("ann", "Diary", "1", { title: "dear diary" });
    server.insert("bob", "Todo", "2", { title: "bob's" });
    await engine.start();
    server.refusing = true;
    await engine.insert("Todo", { title: "ann's too" });
    server.refusing = false;
    storage.set("pylon_token", "bob");

    await relaunch(NOWHERE);
    expect(titles()).toEqual([]);
    expect(engine.mutations.pending()).toEqual([]);

    await relaunch();
    expect(titles()).toEqual(["bob's"]);
    await relaunch(NOWHERE);
    expect(titles()).toEqual(["bob's"]);
    expect(engine.store.list("Diary")).toEqual([]);
    expect(server.pushed).toEqual([]);

    storage.set("pylon_token", "ann");
    await relaunch();
    await engine.push();
    await engine.pull();
    expect(titles()).toEqual(["ann's", "ann's too"]);
  });

  test("rows that are gone are gone after a restart, too", async () => {
    server.insert("ann", "Todo", "1", { title: "milk" });
    server.insert("ann", "Todo", "2", { title: "honey" });
    await engine.start();
    server.remove("ann", "Todo", "1");
    await engine.pull();

    await relaunch(NOWHERE);

    expect(titles()).toEqual(["honey"]);
  });

  test("a replica that starts again leaves nothing of the one before", async () => {
    server.insert("ann", "Todo", "1", { title: "milk" });
    await engine.start();
    await saved();
    server.forgetLog();
    server.insert("ann", "Todo", "2", { title: "honey" });
    await engine.pull();

    await relaunch(NOWHERE);

    expect(titles()).toEqual(["honey"]);
  });

  test.each(["rows", "cursor"] as const)("when the %s could not be written, a restart costs a second look and no row", async (what) => {
    const warn = spyOn(console, "warn").mockImplementation(() => undefined);
    server.insert("ann", "Todo", "1", { title: "milk" });
    await engine.start();
    await saved();
    disk.break(what);
    server.insert("ann", "Todo", "2", { title: "honey" });
    server.remove("ann", "Todo", "1");
    await engine.pull();
    await until(() => warn.mock.calls.length === 1);
    disk.mend();
    engine.stop();
    engine = launch();
    await engine.start();

    expect(titles()).toEqual(["honey"]);
    warn.mockRestore();
  });

  test("many rows, large ones among them, come and go and are found again as they were", async () => {
    const model = new Map<string, string>();
    await engine.start();
    let chance = 7;
    const random = (below: number): number => (chance = (chance * 16_807) % 2_147_483_647) % below;
    for (let round = 0; round < 6; round++) {
      for (let change = 0; change < 150; change++) {
        const id = `r/${random(300)}`;
        if (random(4) === 0) {
          if (model.delete(id)) server.remove("ann", "A/b", id);
        } else {
          const title = "x".repeat(random(20) === 0 ? 40_000 : 10) + random(1000);
          model.set(id, title);
          server.insert("ann", "A/b", id, { title });
        }
      }
      await engine.pull();
      if (round % 2 === 1) await relaunch(round === 5 ? NOWHERE : undefined);
    }

    const rows = engine.store.list("A/b").map(({ id, title }): [unknown, unknown] => [id, title]);
    expect(new Map(rows)).toEqual(new Map(model));
    expect(rows).toHaveLength(model.size);
  });
});

test("AsyncStorage holds no value that a device could not read back, and nothing the session's bridge reads", async () => {
  const device = new Device();
  const replica = createAsyncStorageReplica("shop", async () => device);
  const changes = Array.from({ length: 100 }, (_, n) => ({
    seq: n + 1, entity: "Todo", row_id: `${n}`, kind: "insert" as const, data: { id: `${n}`, text: "x".repeat(30_000) }, timestamp: "",
  }));
  await replica.shared?.saveBatch({ changes, from: 0, to: 100 });

  const lengths = [...device.values.values()].map((value) => value.length);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(256 * 1024);
  expect([...device.values.keys()].every((key) => key.startsWith("pylon-replica:shop/"))).toBe(true);
  expect((await createAsyncStorageReplica("shop", async () => device).loadAllEntities())["Todo"]).toHaveLength(100);
  expect(await createAsyncStorageReplica("other", async () => device).loadAllEntities()).toEqual({});
});

test("SQLite undoes a batch that did not reach the disk whole", async () => {
  const disk = sqliteDisk();
  const replica = disk.open();
  await replica.open?.();
  disk.break("cursor");
  const change = { seq: 1, entity: "Todo", row_id: "1", kind: "insert" as const, data: { id: "1" }, timestamp: "" };

  await expect(replica.shared?.saveBatch({ changes: [change], from: 0, to: 1 }) ?? Promise.resolve()).rejects.toThrow("full");

  expect(await replica.loadAllEntities()).toEqual({});
  disk.remove();
});
