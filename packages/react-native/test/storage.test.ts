import { expect, spyOn, test } from "bun:test";
import { AsyncStoragePersistence, createAsyncStorageBridge, OfflineStore } from "../src/index.ts";
import { Device } from "./device.ts";

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("the bridge reads what is pylon's, at once and without waiting after that", async () => {
  const device = new Device({
    "pylon:client_id": "c1", pylon_token: "t1", "pylon:shop:token": "t2", pylon_theme: "dark", other: "x",
  });

  const storage = await createAsyncStorageBridge(device);

  const keys = ["pylon:client_id", "pylon_token", "pylon:shop:token", "pylon_theme", "other"];
  expect(keys.map((key) => storage.get(key))).toEqual(["c1", "t1", "t2", "dark", null]);
});

test("writes are seen at once and reach the device in order", async () => {
  const device = new Device();
  const storage = await createAsyncStorageBridge(device);
  let ready: () => void = () => undefined;
  device.busy = new Promise((resolve) => (ready = resolve));

  storage.set("pylon_token", "one");
  storage.set("pylon_token", "two");
  expect(storage.get("pylon_token")).toBe("two");
  storage.remove("pylon_token");
  expect(storage.get("pylon_token")).toBeNull();

  await settle();
  ready();
  await settle();
  expect(device.written).toEqual(["pylon_token=one", "pylon_token=two", "pylon_token removed"]);
});

test("a write that fails is reported and keeps no other from being made", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  const device = new Device();
  const storage = await createAsyncStorageBridge(device);
  device.full = true;
  storage.set("pylon_token", "one");
  await settle();
  device.full = false;
  storage.set("pylon_token", "two");
  await settle();

  expect(warn).toHaveBeenCalledTimes(1);
  expect(device.values.get("pylon_token")).toBe("two");
  warn.mockRestore();
});

test("persistence keeps its keys apart by a prefix", async () => {
  const device = new Device({ "else:a": "x" });
  const persistence = new AsyncStoragePersistence("app", async () => device);
  await persistence.set("a", "1");
  await persistence.set("b", "2");
  await persistence.remove("b");

  expect(await persistence.get("a")).toBe("1");
  expect(await persistence.get("b")).toBeNull();
  expect(await persistence.keys()).toEqual(["a"]);
  expect([...device.values]).toEqual([["else:a", "x"], ["app:a", "1"]]);
});

test("an offline store gives back what was saved last", async () => {
  const store = new OfflineStore(new AsyncStoragePersistence("pylon", async () => device));
  const device = new Device();
  expect([await store.loadEntities("Todo"), await store.loadCursor()]).toEqual([[], 0]);

  await store.saveEntities("Todo", [{ id: "1" }, { id: "2" }]);
  await store.saveEntities("Todo", [{ id: "3" }]);
  await store.saveCursor(7);

  expect([await store.loadEntities("Todo"), await store.loadCursor()]).toEqual([[{ id: "3" }], 7]);
  expect([...device.values.keys()]).toEqual(["pylon:entities:Todo", "pylon:sync:cursor"]);
});

test.each(["{", '"text"', "[1, null]"])("%s on the device is no rows and no cursor", async (text) => {
  const device = new Device({ "pylon:entities:Todo": text, "pylon:sync:cursor": text });
  const store = new OfflineStore(new AsyncStoragePersistence("pylon", async () => device));

  expect([await store.loadEntities("Todo"), await store.loadCursor()]).toEqual([[], 0]);
});

test("clearing keeps the session and the client id", async () => {
  const kept = { "pylon:client_id": "c", "pylon:shop:token": "t", pylon_token: "t" };
  const device = new Device({ ...kept, "pylon:entities:Todo": "[]", "pylon:sync:cursor": "1" });

  await new OfflineStore(new AsyncStoragePersistence("pylon", async () => device)).clear();

  expect(Object.fromEntries(device.values)).toEqual(kept);
});
