/** Documents on the device: what a reload finds again, whose it is, and what is still to be sent. */

import { act, cleanup, renderHook, waitFor } from "../../react/test/dom.ts";
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { db, init, type Storage } from "@pylonsync/react";
import { LoroDoc } from "loro-crdt";
import { freshClient } from "../../react/test/fakes.ts";
import { detachLoro, globalRegistry, startLoro, useCollabStatus, useCollabText } from "../src/index.ts";
import { DocumentStore } from "../src/documentStore.ts";
import { CrdtServer } from "./server.ts";
import { withIndexedDB } from "./indexedDB.ts";

let server: CrdtServer;
let storage: Storage;
let takeAway: () => void;

beforeEach(() => {
  server = new CrdtServer();
  server.doc("1");
  takeAway = withIndexedDB();
  storage = freshClient({ pylon_token: "ann" });
  launch(server.url);
});

afterEach(async () => {
  cleanup();
  end();
  takeAway();
  await server.stop();
});

const NOWHERE = "http://127.0.0.1:1";

function launch(baseUrl: string): void {
  init({ baseUrl, wsUrl: `${baseUrl.replace("http", "ws")}/api/sync/ws`, reconnectDelay: 1, storage });
}

function end(): void {
  detachLoro();
  db.sync.stop();
  for (const { entity, rowId } of globalRegistry.cachedRows()) globalRegistry.evict(entity, rowId);
}

/** The page is closed and opened again: only what is on the device is left. */
async function reload(baseUrl: string): Promise<void> {
  cleanup();
  window.dispatchEvent(new window.Event("pagehide"));
  await Bun.sleep(20);
  end();
  launch(baseUrl);
}

function body(rowId = "1"): { readonly text: string; set(next: string): void } {
  const { result } = renderHook(() => useCollabText("Note", rowId, "body"));
  return {
    get text() {
      return result.current[0];
    },
    set: (next) => act(() => result.current[1](next)),
  };
}

test("a document that was open before is there after a reload, without the server", async () => {
  server.edit("1", 0, "milk");
  const before = body();
  await waitFor(() => expect(before.text).toBe("milk"));

  await reload(NOWHERE);

  const after = body();
  await waitFor(() => expect(after.text).toBe("milk"));
});

test("edits made offline survive reloads, are merged, and are sent when the server is back, though nobody opens the row", async () => {
  server.edit("1", 0, "milk");
  const first = body();
  await waitFor(() => expect(first.text).toBe("milk"));
  await reload(NOWHERE);
  const second = body();
  await waitFor(() => expect(second.text).toBe("milk"));
  second.set("milk, honey");
  await reload(NOWHERE);
  const third = body();
  await waitFor(() => expect(third.text).toBe("milk, honey"));
  third.set("milk, honey, bread");
  server.edit("1", 0, "buy ");

  await reload(server.url);
  startLoro();
  void db.sync;

  await waitFor(() => expect(server.text("1")).toBe("buy milk, honey, bread"));
  expect(server.posts()).toBe(1);

  await reload(server.url);
  startLoro();
  await waitFor(() => expect(db.sync.connected).toBe(true));
  const last = body();
  await waitFor(() => expect(last.text).toBe("buy milk, honey, bread"));
  expect(server.posts()).toBe(1);
});

test("another user sees nothing of it and sends nothing of it; the first one's edits wait", async () => {
  const mine = body();
  await waitFor(() => expect(db.sync.connected).toBe(true));
  server.refuse = 503;
  mine.set("ann's");
  await reload(NOWHERE);
  storage.set("pylon_token", "bob");

  launch(NOWHERE);
  const theirs = body();
  await waitFor(() => expect(db.sync.status.error).not.toBeNull());
  expect(theirs.text).toBe("");
  server.refuse = null;
  await reload(server.url);
  startLoro();
  await waitFor(() => expect(db.sync.connected).toBe(true));
  expect([server.text("1"), server.posts()]).toEqual(["", 1]);

  storage.set("pylon_token", "ann");
  await reload(server.url);
  startLoro();
  void db.sync;
  await waitFor(() => expect(server.text("1")).toBe("ann's"));
  expect(server.authors).toEqual(["ann"]);
});

test("when somebody else signs in, open documents are replaced by theirs, and nothing is sent as them", async () => {
  server.edit("1", 0, "milk");
  const open = body();
  const { result } = renderHook(() => useCollabStatus("Note", "1"));
  await waitFor(() => expect(open.text).toBe("milk"));
  server.refuse = 503;
  open.set("milk of ann");
  await waitFor(() => expect(server.posts()).toBe(1));

  storage.set("pylon_token", "bob");
  server.refuse = null;
  act(() => result.current.retry());

  await waitFor(() => expect(open.text).toBe("milk"));
  open.set("milk of bob");
  await waitFor(() => expect(server.text("1")).toBe("milk of bob"));
  expect(server.authors).toEqual(["bob"]);
});

test("a document that the server has is not sent again, however often the connection is made", async () => {
  server.edit("1", 0, "milk");
  const before = body();
  await waitFor(() => expect(before.text).toBe("milk"));
  server.silent = true;
  await reload(server.url);
  const after = renderHook(() => ({ text: useCollabText("Note", "1", "body"), status: useCollabStatus("Note", "1") }));
  await waitFor(() => expect(after.result.current.text[0]).toBe("milk"));

  await waitFor(() => expect(db.sync.connected).toBe(true));
  server.cut();
  await waitFor(() => expect(server.received.length).toBeGreaterThanOrEqual(3));

  expect(after.result.current.status.unsent).toBe(false);
  expect(server.posts()).toBe(0);
});

test("a server that lost a document gets it again with the next connection", async () => {
  const open = body();
  open.set("milk");
  await waitFor(() => expect(server.text("1")).toBe("milk"));
  await waitFor(() => expect(db.sync.connected).toBe(true));
  server.lose("1");

  server.cut();

  await waitFor(() => expect(server.text("1")).toBe("milk"), { timeout: 3000 });
});

test("a document with unsent edits stays, however many others are looked at", async () => {
  server.refuse = 503;
  const { result, unmount } = renderHook(() => useCollabText("Note", "1", "body"));
  act(() => result.current[1]("kept"));
  await waitFor(() => expect(server.posts()).toBeGreaterThan(0));
  unmount();
  const doc = globalRegistry.doc("Note", "1");

  for (let other = 0; other < 300; other++) globalRegistry.doc("Note", `other${other}`);
  expect(globalRegistry.doc("Note", "1")).toBe(doc);
  server.refuse = null;
  server.cut();

  await waitFor(() => expect(server.text("1")).toBe("kept"), { timeout: 3000 });
  await waitFor(() => {
    for (let other = 0; other < 300; other++) globalRegistry.doc("Note", `another${other}`);
    expect(globalRegistry.doc("Note", "1") === doc).toBe(false);
  });
});

test("an edit that is not understood is sent again as the whole document", async () => {
  server.edit("1", 0, "milk");
  const open = body();
  await waitFor(() => expect(open.text).toBe("milk"));
  server.lose("1");
  server.refusals.push(Response.json({ error: { code: "CRDT_DECODE_FAILED", message: "what?" } }, { status: 400 }));

  open.set("milk, honey");

  await waitFor(() => expect(server.text("1")).toBe("milk, honey"));
  expect(server.received.filter((message) => (message as { type: string }).type === "crdt-subscribe")).toHaveLength(2);
});

test("a refusal is shown, and the edits can be offered again or given up", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  server.edit("1", 0, "milk");
  const { result } = renderHook(() => ({ status: useCollabStatus("Note", "1"), text: useCollabText("Note", "1", "body") }));
  await waitFor(() => expect(result.current.text[0]).toBe("milk"));
  expect(result.current.status).toMatchObject({ unsent: false, error: null });
  server.refuse = 403;
  act(() => result.current.text[1]("milk?"));
  await waitFor(() => expect(result.current.status).toMatchObject({ unsent: true, error: { status: 403 } }));

  await act(async () => result.current.status.retry());
  await waitFor(() => expect(server.posts()).toBe(2));
  expect(result.current.status.error).toMatchObject({ status: 403 });
  server.refuse = null;
  await act(() => result.current.status.discard());

  await waitFor(() => expect(result.current.text[0]).toBe("milk"));
  expect(result.current.status).toMatchObject({ unsent: false, error: null });
  expect(server.text("1")).toBe("milk");
  await reload(NOWHERE);
  const again = body();
  await waitFor(() => expect(again.text).toBe("milk"));
  warn.mockRestore();
});

test("a row that is not stored yet gets its document when it is", async () => {
  await db.sync.start();
  await waitFor(() => expect(db.sync.connected).toBe(true));
  server.pushing = false;
  act(() => void db.insert("Note", { id: "new" }));
  const open = body("new");
  open.set("early");
  await waitFor(() => expect(server.asked).toContain("POST /api/sync/push"));
  expect(server.docs.has("new")).toBe(false);

  server.pushing = true;
  await act(() => db.sync.push());

  await waitFor(() => expect(server.docs.get("new")?.getText("body").toString()).toBe("early"), { timeout: 5000 });
  server.edit("new", 0, "very ");
  await waitFor(() => expect(open.text).toBe("very early"));
});

test("the device keeps as many documents as it has room for: those used last, and all with unsent edits", async () => {
  let now = 0;
  const store = new DocumentStore("bounded", globalThis.indexedDB, () => ++now, { documents: 3, bytes: 1_000_000 });
  const save = (rowId: string, unsent: boolean): Promise<number> => store.save("ann", { entity: "Note", rowId }, saved(unsent), null);
  await save("1", true);
  for (const rowId of ["2", "3", "4"]) await save(rowId, false);

  const kept = await Promise.all(["1", "2", "3", "4"].map((rowId) => store.load("ann", { entity: "Note", rowId })));
  expect(kept.map((document) => document !== null)).toEqual([true, false, true, true]);
  expect(await store.unsentRows("ann")).toEqual([{ entity: "Note", rowId: "1" }]);
  expect(await store.unsentRows("bob")).toEqual([]);

  await save("5", true);
  await save("6", true);
  await expect(save("7", true)).rejects.toThrow("too many unsent edits");
  expect(await store.load("ann", { entity: "Note", rowId: "7" })).toBeNull();
  expect(await store.load("ann", { entity: "Note", rowId: "1" })).not.toBeNull();
});

test("of two tabs, the one that saves later takes over what the other saved", async () => {
  const store = new DocumentStore("tabs", globalThis.indexedDB);
  const row = { entity: "Note", rowId: "1" };
  const generation = await store.save("ann", row, saved(true), null);

  await expect(store.save("ann", row, saved(false), null)).rejects.toThrow("another tab");
  await store.save("ann", row, saved(true), generation);

  expect(await store.unsentRows("ann")).toEqual([row]);
});

function saved(unsent: boolean): Parameters<DocumentStore["save"]>[2] {
  const doc = new LoroDoc();
  doc.getText("body").insert(0, "x");
  doc.commit();
  const bytes = doc.export({ mode: "snapshot" });
  return { snapshot: bytes, version: doc.oplogVersion().encode(), tail: bytes, held: bytes, unsent };
}
