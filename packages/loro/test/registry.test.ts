import { expect, test } from "bun:test";
import { LoroDoc } from "loro-crdt";
import { CRDT_FRAME_SNAPSHOT, CRDT_FRAME_UPDATE, encodeCrdtFrame, getLoroMap, getLoroText, LoroRegistry } from "../src/index.ts";

function snapshot(doc: LoroDoc, rowId = "1"): Uint8Array {
  return encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", rowId, doc.export({ mode: "snapshot" }));
}

function written(text: string): LoroDoc {
  const doc = new LoroDoc();
  getLoroText(doc, "body").insert(0, text);
  doc.commit();
  return doc;
}

function body(registry: LoroRegistry, rowId = "1"): string {
  return getLoroText(registry.doc("Note", rowId), "body").toString();
}

test("two registries that edit at once and exchange snapshots hold the same text, with both edits", () => {
  const [one, two] = [new LoroRegistry(), new LoroRegistry()];
  const start = snapshot(written("milk"));
  for (const registry of [one, two]) registry.applyBinaryFrame(start);
  getLoroText(one.doc("Note", "1"), "body").insert(0, "buy ");
  getLoroText(two.doc("Note", "1"), "body").insert(4, " and honey 🍯");

  const [fromOne, fromTwo] = [snapshot(one.doc("Note", "1")), snapshot(two.doc("Note", "1"))];
  expect(one.applyBinaryFrame(fromTwo)).toBe(true);
  expect(two.applyBinaryFrame(fromOne)).toBe(true);

  expect(body(one)).toBe("buy milk and honey 🍯");
  expect(body(two)).toBe(body(one));
});

test("updates do as snapshots do, and a frame that comes twice changes nothing", () => {
  const source = written("a");
  const registry = new LoroRegistry();
  registry.applyBinaryFrame(snapshot(source));
  const before = source.version();
  getLoroText(source, "body").insert(1, "b");
  getLoroMap(source, "row").set("done", true);
  source.commit();
  const update = encodeCrdtFrame(CRDT_FRAME_UPDATE, "Note", "1", source.export({ mode: "update", from: before }));

  expect([registry.applyBinaryFrame(update), registry.applyBinaryFrame(update)]).toEqual([true, true]);

  expect(body(registry)).toBe("ab");
  expect(getLoroMap(registry.doc("Note", "1"), "row").get("done")).toBe(true);
});

test.each([
  ["no frame", Uint8Array.of(0x10)],
  ["an unknown type", Uint8Array.of(0x12, 0, 0, 0, 0)],
  ["nothing to import", encodeCrdtFrame(CRDT_FRAME_UPDATE, "Note", "1", new Uint8Array())],
  ["what is no document", encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", "1", Uint8Array.of(1, 2, 3))],
])("%s is refused, and leaves and tells nothing", (_name, bytes) => {
  const registry = new LoroRegistry();

  expect(registry.applyBinaryFrame(bytes)).toBe(false);

  expect(registry.cachedRows()).toEqual([]);
});

test("listeners hear once of each frame and of each local commit, of their row only", () => {
  const registry = new LoroRegistry();
  const heard: string[] = [];
  registry.subscribe("Note", "1", () => heard.push("1"));
  registry.subscribe("Note", "2", () => heard.push("2"));
  const stop = registry.subscribe("Note", "1", () => heard.push("never"));
  stop();
  const before = registry.version("Note", "1");

  registry.applyBinaryFrame(snapshot(written("a")));
  expect(heard).toEqual(["1"]);
  getLoroText(registry.doc("Note", "1"), "body").insert(0, "b");
  registry.doc("Note", "1").commit();

  expect(heard).toEqual(["1", "1"]);
  expect(registry.version("Note", "1")).toBe(before + 2);
});

test("an evicted document is told of and gone; its listeners hear of the next", () => {
  const registry = new LoroRegistry();
  let heard = 0;
  registry.subscribe("Note", "1", () => (heard += 1));
  registry.applyBinaryFrame(snapshot(written("a")));
  const old = registry.doc("Note", "1");

  registry.evict("Note", "1");
  registry.evict("Note", "1");

  expect(heard).toBe(2);
  expect(registry.cachedRows()).toEqual([]);
  expect(registry.doc("Note", "1")).not.toBe(old);
  registry.applyBinaryFrame(snapshot(written("b")));
  expect(heard).toBe(3);
  expect(body(registry)).toBe("b");
});

test("of documents nobody listens to, the least recently used go; the others stay", () => {
  const registry = new LoroRegistry(2);
  const stop = registry.subscribe("Note", "kept", () => undefined);
  registry.doc("Note", "kept");
  for (const id of ["1", "2", "1", "3"]) registry.doc("Note", id);

  expect(registry.cachedRows().map(({ rowId }) => rowId)).toEqual(["kept", "1", "3"]);

  stop();
  expect(registry.cachedRows().map(({ rowId }) => rowId)).toEqual(["1", "3"]);
});

test("names that look alike when joined are different rows", () => {
  const registry = new LoroRegistry();

  expect(registry.doc("a:b", "c")).not.toBe(registry.doc("a", "b:c"));
});
