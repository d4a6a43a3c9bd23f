/** Lists, counters, trees, plain fields and texts of a row's document, in components and as the server holds them. */

import { act, cleanup, renderHook, waitFor } from "../../react/test/dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { db, init } from "@pylonsync/react";
import type { TreeID } from "loro-crdt";
import { freshClient } from "../../react/test/fakes.ts";
import {
  applyTextChange, applyTextDelta, detachLoro, globalRegistry, useCollabCounter, useCollabList, useCollabMovableList,
  useCollabRow, useCollabText, useCollabTree, useLoroDoc,
} from "../src/index.ts";
import { CrdtServer } from "./server.ts";

let server: CrdtServer;
let rows = 0;
let row: string;

beforeEach(() => {
  row = `c${++rows}`;
  server = new CrdtServer();
  server.doc(row);
  freshClient();
  init({ baseUrl: server.url, wsUrl: `${server.url.replace("http", "ws")}/api/sync/ws`, reconnectDelay: 1 });
});

afterEach(async () => {
  cleanup();
  detachLoro();
  db.sync.stop();
  await server.stop();
});

/** Somebody else changes the document. */
function others(change: (doc: ReturnType<CrdtServer["doc"]>) => void): void {
  change(server.doc(row));
  server.doc(row).commit();
  server.sendAll(row);
}

test("a list is edited by several", async () => {
  const { result } = renderHook(() => useCollabList<string>("Note", row, "tags"));
  act(() => result.current.push("a", "b"));
  act(() => result.current.insert(1, "between"));
  act(() => result.current.remove(0));
  expect(result.current.items).toEqual(["between", "b"]);
  await waitFor(() => expect(server.doc(row).getList("tags").toJSON()).toEqual(["between", "b"]));

  others((doc) => doc.getList("tags").insert(0, "theirs"));

  await waitFor(() => expect(result.current.items).toEqual(["theirs", "between", "b"]));
});

test("an item that is moved stays itself, whoever else sets it meanwhile", async () => {
  const { result } = renderHook(() => useCollabMovableList<string>("Note", row, "steps"));
  act(() => result.current.push("a", "b", "c"));
  await waitFor(() => expect(server.doc(row).getMovableList("steps").length).toBe(3));

  server.doc(row).getMovableList("steps").set(0, "A");
  server.doc(row).commit();
  act(() => result.current.move(0, 2));

  await waitFor(() => expect(result.current.items).toEqual(["b", "c", "A"]));
  act(() => result.current.set(0, "B"));
  await waitFor(() => expect(server.doc(row).getMovableList("steps").toJSON()).toEqual(["B", "c", "A"]));
});

test("what several add to a counter adds up", async () => {
  const { result } = renderHook(() => useCollabCounter("Note", row, "votes"));
  act(() => result.current[1]());
  server.doc(row).getCounter("votes").increment(10);
  server.doc(row).commit();
  act(() => result.current[1](-3));

  await waitFor(() => expect(result.current[0]).toBe(8));
  await waitFor(() => expect(server.doc(row).getCounter("votes").value).toBe(8));
});

test("a tree is built, filled, rearranged and cut", async () => {
  const { result } = renderHook(() => useCollabTree<{ name: string }>("Note", row, "outline"));
  let [a, b, c]: [TreeID, TreeID, TreeID] = ["0@0", "0@0", "0@0"];
  act(() => void (a = result.current.create({ name: "a" })));
  act(() => void (b = result.current.create({ name: "b" }, a)));
  act(() => void (c = result.current.create({ name: "c" }, undefined, 0)));
  expect(result.current.nodes).toMatchObject([
    { id: c, data: { name: "c" }, children: [] },
    { id: a, data: { name: "a" }, children: [{ id: b, data: { name: "b" } }] },
  ]);

  act(() => result.current.move(b, c));
  act(() => result.current.update(b, { name: "B" }));
  act(() => result.current.remove(a));

  const expected = [{ id: c, data: { name: "c" }, children: [{ id: b, data: { name: "B" }, children: [] }] }];
  expect(result.current.nodes).toEqual(expected);
  await waitFor(() => expect(server.doc(row).getTree("outline").toJSON()).toMatchObject([{ id: c, children: [{ id: b }] }]));
});

test("plain fields are in the map that the server keeps its columns in", async () => {
  const { result } = renderHook(() => useCollabRow("Note", row));
  act(() => result.current[1]({ title: "x", done: true, gone: 1 }));
  act(() => result.current[1]({ gone: undefined }));

  expect(result.current[0]).toEqual({ title: "x", done: true });
  await waitFor(() => expect(server.doc(row).getMap("row").toJSON()).toEqual({ title: "x", done: true }));
  const before = result.current[0];
  others((doc) => doc.getText("body").insert(0, "else"));
  await waitFor(() => expect(globalRegistry.doc("Note", row).getText("body").length).toBe(4));
  expect(result.current[0]).toEqual(before);
});

test("a text is changed at one place only, so that others' cursors stay where they were", () => {
  const { result } = renderHook(() => ({ doc: useLoroDoc("Note", row), text: useCollabText("Note", row, "body") }));
  act(() => result.current.text[1]("one two three"));
  const { doc } = result.current;
  const cursor = doc.getText("body").getCursor(8);
  const operations = (): number => doc.oplogVersion().get(doc.peerIdStr) ?? 0;
  const before = operations();

  act(() => result.current.text[1]("one TWO three"));
  expect(operations() - before).toBeLessThanOrEqual(6);
  act(() => result.current.text[2]({ at: 0, remove: 3, insert: "first 🍯" }));
  expect(result.current.text[0]).toBe("first 🍯 TWO three");
  act(() => applyTextDelta(doc, "body", [{ retain: 5 }, { insert: "," }]));
  act(() => applyTextChange(doc, "body", { at: 0, insert: "> " }));

  expect(result.current.text[0]).toBe("> first, 🍯 TWO three");
  expect(result.current.text[0].slice(doc.getCursorPos(cursor!)?.offset)).toBe("three");
});
