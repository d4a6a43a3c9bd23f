/**
 * What every `ReplicaPersistence` must do, as tests: run it on an implementation of your own.
 *
 * A `Device` is the place where things are kept; opening it again is what an app does when it is started again.
 */

import { describe, expect, test } from "bun:test";

import type { PendingMutation } from "../src/mutations.ts";
import type { ReplicaPersistence } from "../src/persistence.ts";
import type { ChangeEvent, ChangeKind, Row } from "../src/protocol.ts";
import { settled, World } from "./world.ts";

export interface Device {
  persistence(): ReplicaPersistence;
}

/** `rest` lets everything happen that waits for the device. */
export function replicaPersistenceConformance(
  name: string,
  makeDevice: () => Device,
  rest: () => Promise<void> = settled,
): void {
  async function opened(device: Device): Promise<ReplicaPersistence> {
    const persistence = device.persistence();
    await persistence.open?.();
    return persistence;
  }

  describe(`${name}, as a place for a replica`, () => {
    test("is empty at first", async () => {
      const persistence = await opened(makeDevice());

      expect(await persistence.loadAllEntities()).toEqual({});
      expect(await persistence.loadCursor()).toBeNull();
      expect(await persistence.mutations.loadAll()).toEqual([]);
    });

    test("gives back what was saved, after being opened again", async () => {
      const device = makeDevice();
      const first = await opened(device);
      await first.saveChange(event("insert", "a", { title: "A:1/ü", nested: { list: [1, null, "x"] } }));
      await first.saveChange(event("insert", "a", { title: "other entity" }, "Tag"));
      await first.saveCursor({ last_seq: 2 ** 40 });

      const second = await opened(device);

      expect(await second.loadAllEntities()).toEqual({
        Note: [{ id: "a", title: "A:1/ü", nested: { list: [1, null, "x"] } }],
        Tag: [{ id: "a", title: "other entity" }],
      });
      expect(await second.loadCursor()).toEqual({ last_seq: 2 ** 40 });
    });

    test("replaces a row whole, and removes it for a delete, also when there is none", async () => {
      const device = makeDevice();
      const persistence = await opened(device);
      await persistence.saveChange(event("insert", "a", { title: "A", done: true }));
      await persistence.saveChange(event("update", "a", { title: "B" }));
      await persistence.saveChange(event("insert", "gone", {}));
      await persistence.saveChange(event("delete", "gone"));
      await persistence.saveChange(event("delete", "never"));

      expect((await (await opened(device)).loadAllEntities())["Note"]).toEqual([{ id: "a", title: "B" }]);
    });

    test("cleared, holds no rows, and all of the queue", async () => {
      const device = makeDevice();
      const persistence = await opened(device);
      await persistence.saveChange(event("insert", "a", {}));
      await persistence.mutations.saveAll([mutation("m1")]);

      await persistence.clear();

      const again = await opened(device);
      expect(Object.values(await again.loadAllEntities()).flat()).toEqual([]);
      expect(await again.mutations.loadAll()).toEqual([mutation("m1")]);
    });

    test("keeps the queue in its order, with everything in its entries, in place of the one before", async () => {
      const device = makeDevice();
      const persistence = await opened(device);
      const failed: PendingMutation = { ...mutation("m2"), status: "failed", error: "refused", client_id: "c1" };
      await persistence.mutations.saveAll([mutation("old")]);
      await persistence.mutations.saveAll([mutation("m9"), failed, mutation("m1")]);

      const saved = await (await opened(device)).mutations.loadAll();

      expect(saved).toEqual([mutation("m9"), failed, mutation("m1")]);
    });

    test("keeps an engine's rows and writes over a restart without the server", async () => {
      const world = new World();
      const device = makeDevice();
      world.commit("insert", "a", { title: "A" });
      const first = world.engine({ persistence: device.persistence() });
      await first.start();
      await rest();
      world.routes.set("/api/sync/push", () => ({ status: 503 }));
      await first.update("Note", "a", { title: "B" });
      await first.insert("Note", { id: "b", title: "new" });
      await first.mutations.saved();
      first.stop();

      for (const path of ["/api/sync/pull", "/api/auth/me"]) world.routes.set(path, () => ({ status: 503 }));
      const second = world.engine({ persistence: device.persistence() });
      await second.start();
      await rest();

      expect(second.store.list("Note")).toEqual([{ id: "a", title: "B" }, { id: "b", title: "new" }]);
      expect(second.mutations.pending().map(({ change }) => change.kind)).toEqual(["update", "insert"]);
      expect(second.status.loaded).toBe(true);
      second.stop();
    });

    test("shows nobody what it keeps for another", async () => {
      const world = new World();
      const device = makeDevice();
      world.commit("insert", "alices", {});
      const first = world.engine({ persistence: device.persistence() });
      await first.start();
      await rest();
      first.stop();

      world.session = { ...world.session, user_id: "bob" };
      world.changes.length = 0;
      const second = world.engine({ persistence: device.persistence(), token: "t1" });
      await second.start();
      await rest();

      expect(second.store.list("Note")).toEqual([]);
      expect(Object.values(await (await opened(device)).loadAllEntities()).flat()).toEqual([]);
      second.stop();
    });
  });
}

function event(kind: ChangeKind, row_id: string, data?: Row, entity = "Note"): ChangeEvent {
  return { seq: 1, entity, row_id, kind, data: data === undefined ? undefined : { ...data, id: row_id }, timestamp: "" };
}

function mutation(id: string): PendingMutation {
  const change = { entity: "Note", row_id: "n1", kind: "update", data: { title: "ü" }, op_id: id } as const;
  return { id, change, status: "pending", owner: 'user:["alice",null]' };
}
