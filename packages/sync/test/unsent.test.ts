/** What an app asks of its own writes: are they safe, are they sent, and why not. */

import { expect, test } from "bun:test";

import { Browser, calm, settled, World } from "./world.ts";

test("whoever writes before the device was opened is told when the write is safe", async () => {
  const world = new World();
  world.browser = new Browser();
  const engine = world.engine();
  world.next("/api/auth/me", new TypeError("offline"));

  const { sent } = engine.create("Note", { title: "A" });
  const saved = await engine.mutations.saved();
  await sent;
  world.next("/api/auth/me", new TypeError("offline"));
  const reloaded = world.engine();
  void reloaded.start();
  await calm();

  expect(saved).toBe(true);
  expect(reloaded.mutations.pending()).toHaveLength(1);
  reloaded.stop();
});

test("nothing is sent before it is saved, also when the engine has not started", async () => {
  const world = new World();
  world.browser = new Browser();
  const engine = world.engine();
  let savedWhenSent: unknown;
  world.routes.set("/api/sync/push", async () => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = world.browser!.indexedDB.open("pylon_sync_default");
      request.onsuccess = () => resolve(request.result);
    });
    const all = database.transaction("pendingMutations").objectStore("pendingMutations").getAll();
    savedWhenSent = await new Promise((resolve) => (all.onsuccess = () => resolve(all.result.length)));
    return { body: { applied: 1, errors: [], cursor: { last_seq: 1 } } };
  });

  await engine.insert("Note", { title: "A" });

  expect(savedWhenSent).toBe(1);
});

test("where nothing can be saved, it is said so", async () => {
  const engine = new World().engine();

  engine.create("Note", { title: "A" });

  expect(await engine.mutations.saved()).toBe(false);
});

test("a new row's id is known, and the row shown, before anything is sent", async () => {
  const world = new World();
  const engine = await world.live();
  const answer = world.hold("/api/sync/push");
  let isSent = false;

  const { id, sent } = engine.create("Note", { title: "A" });
  void sent.then(() => (isSent = true));
  await settled();

  expect(engine.store.get("Note", id)).toEqual({ id, title: "A" });
  expect(isSent).toBe(false);
  answer();
  await sent;
  expect(engine.mutations.pending()).toEqual([]);
});

test("a refused write has the server's code beside its message", async () => {
  const world = new World();
  const engine = await world.live();
  world.next("/api/sync/push", (() => {
    const op = (): string => engine.mutations.pending()[0]?.id ?? "";
    return {
      get body() {
        const results = [{ op_id: op(), status: "failed", row_id: "n1", error: "not yours", code: "POLICY_DENIED" }];
        return { applied: 0, errors: ["not yours"], results, cursor: { last_seq: 0 } };
      },
    };
  })());

  await engine.update("Note", "n1", { title: "A" });

  expect(engine.mutations.failed()).toMatchObject([{ status: "failed", error: "not yours", code: "POLICY_DENIED" }]);
});

test("so has one for which its whole request was refused", async () => {
  const world = new World();
  const engine = await world.live();
  world.next("/api/sync/push", { status: 413, body: { error: { code: "PAYLOAD_TOO_LARGE", message: "too long" } } });

  await engine.update("Note", "n1", { title: "A" });

  expect(engine.mutations.failed()).toMatchObject([{ error: "too long", code: "PAYLOAD_TOO_LARGE" }]);
});

test("what is unsent is counted, whoever sends it, and changes are told", async () => {
  const world = new World();
  const engine = await world.live();
  const counts: number[] = [];
  engine.unsent.subscribe(() => counts.push(engine.unsent.count));
  let [documents, tell] = [2, (): void => undefined];
  const stop = engine.unsent.add({
    count: () => documents,
    subscribe: (listener) => {
      tell = listener;
      return () => (tell = () => undefined);
    },
  });
  documents = 1;
  tell();
  await engine.insert("Note", { title: "A" });
  stop();
  tell();

  expect(counts[0]).toBe(2);
  expect(counts[1]).toBe(1);
  expect(Math.max(...counts.slice(2))).toBe(2);
  expect(engine.unsent.count).toBe(0);
});
