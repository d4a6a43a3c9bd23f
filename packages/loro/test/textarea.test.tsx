/** A textarea on a document: what is shown before it has come, typing, and whose cursor is where. */

import { act, cleanup, render, renderHook, waitFor } from "../../react/test/dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { db, init, useUnsent } from "@pylonsync/react";
import type { ChangeEvent } from "react";
import { freshClient } from "../../react/test/fakes.ts";
import {
  type CollabTextarea, detachLoro, globalRegistry, startLoro, useCollabStatus, useCollabText, useCollabTextarea,
} from "../src/index.ts";
import { CrdtServer } from "./server.ts";

let server: CrdtServer;
let rows = 0;
let row: string;

beforeEach(() => {
  row = `textarea-${++rows}`;
  server = new CrdtServer();
  server.doc(row);
  freshClient();
  launch();
});

afterEach(async () => {
  cleanup();
  detachLoro();
  db.sync.stop();
  await server.stop();
});

function launch(): void {
  init({ baseUrl: server.url, wsUrl: `${server.url.replace("http", "ws")}/api/sync/ws`, reconnectDelay: 1 });
}

let handlers: CollabTextarea | null = null;

function Editor() {
  handlers = useCollabTextarea("Note", row, "body");
  return <textarea {...handlers} />;
}

function openEditor(): HTMLTextAreaElement {
  return render(<Editor />).container.querySelector("textarea") as HTMLTextAreaElement;
}

/** As a browser does it: the element changes, then its handler is called. (React does not hear happy-dom's events.) */
function type(box: HTMLTextAreaElement, value: string, cursor: number): void {
  box.value = value;
  box.setSelectionRange(cursor, cursor);
  act(() => handlers?.onChange({ target: box } as ChangeEvent<HTMLTextAreaElement>));
}

test("what is typed is the edit that was meant, and the cursor stays beside it when others write", async () => {
  server.edit(row, 0, "aa");
  const box = openEditor();
  await waitFor(() => expect(box.value).toBe("aa"));

  type(box, "aaa", 1);
  expect(box.value).toBe("aaa");
  await waitFor(() => expect(server.text(row)).toBe("aaa"));
  server.edit(row, 0, "xx");

  await waitFor(() => expect(box.value).toBe("xxaaa"));
  expect([box.selectionStart, box.selectionEnd]).toEqual([3, 3]);
});

test("before the document has come, what the row says is shown and cannot be edited", async () => {
  server.edit(row, 0, "milk");
  server.silent = true;
  db.sync.store.applyChange({ seq: 1, entity: "Note", row_id: row, kind: "insert", data: { body: "mil" }, timestamp: "" });
  const box = openEditor();
  const { result } = renderHook(() => useCollabStatus("Note", row));
  await waitFor(() => expect(db.sync.connected).toBe(true));
  expect([box.value, box.readOnly, result.current.loaded]).toEqual(["mil", true, false]);

  server.silent = false;
  server.cut();

  await waitFor(() => expect([box.value, box.readOnly, result.current.loaded]).toEqual(["milk", false, true]));
});

test("the text of a row that was just made can be written before anybody else has it", () => {
  server.pushing = false;
  const made = db.create("Note", { body: "" });
  row = made.id;
  const box = openEditor();

  type(box, "first", 5);

  expect([box.value, box.readOnly]).toEqual(["first", false]);
  expect(globalRegistry.doc("Note", row).getText("body").toString()).toBe("first");
});

test("documents with unsent edits count as unsent, until the server has them", async () => {
  server.refuse = 503;
  const { result } = renderHook(() => ({ text: useCollabText("Note", row, "body"), unsent: useUnsent(db.sync) }));
  await waitFor(() => expect(db.sync.connected).toBe(true));

  act(() => result.current.text[1]("milk"));
  await waitFor(() => expect(result.current.unsent).toEqual({ count: 1, writes: [] }));
  server.refuse = null;

  await waitFor(() => expect(result.current.unsent.count).toBe(0), { timeout: 4000 });
});

test("once started, frames are taken for each engine that runs, and none is started for that", async () => {
  server.edit(row, 0, "milk");
  startLoro();
  await Bun.sleep(20);
  expect(server.asked).toEqual([]);

  for (const _ of ["the first", "and one made later"]) {
    launch();
    const { sync } = db;
    await waitFor(() => expect(sync.connected).toBe(true));
    for (const socket of server.sockets.splice(0)) socket.sendBinary(server.frame(row));
    const text = (): string => globalRegistry.doc("Note", row).getText("body").toString();
    await waitFor(() => expect(text()).toBe("milk"));
    globalRegistry.evict("Note", row);
  }
});
