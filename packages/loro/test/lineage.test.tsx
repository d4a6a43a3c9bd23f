/** Rows that are made again, hidden and shown: their documents never mix, and what cannot be sent is not lost from sight. */

import { act, cleanup, renderHook, waitFor } from "../../react/test/dom.ts";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { db, getAppName, init, type Storage } from "@pylonsync/react";
import { LoroDoc } from "loro-crdt";
import { freshClient } from "../../react/test/fakes.ts";
import {
  CRDT_FRAME_SNAPSHOT, detachLoro, encodeCrdtFrame, globalRegistry, LoroRegistry, startLoro, useCollabStatus, useCollabText,
} from "../src/index.ts";
import { DocumentStore } from "../src/documentStore.ts";
import { DocumentSync } from "../src/documentSync.ts";
import { Keeper } from "../src/keeper.ts";
import { versionOf } from "../src/versions.ts";
import { CrdtServer, namedDocument } from "./server.ts";
import { withIndexedDB } from "./indexedDB.ts";

function unnamedDocument(text: string): LoroDoc {
  const doc = new LoroDoc();
  doc.getText("body").insert(0, text);
  doc.commit();
  return doc;
}

function textOf(doc: LoroDoc): string {
  return doc.getText("body").toString();
}

describe("a registry", () => {
  let registry: LoroRegistry;
  const receive = (doc: LoroDoc): boolean =>
    registry.applyBinaryFrame(encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", "1", doc.export({ mode: "snapshot" })));
  const here = (): LoroDoc => registry.doc("Note", "1");

  beforeEach(() => void (registry = new LoroRegistry()));

  test.each([
    ["with names", namedDocument],
    ["without names", unnamedDocument],
  ])("takes the document of a row made again for another, %s, and says so", (_name, make) => {
    receive(make("old"));
    const old = here();
    const [dropped, heard]: [unknown[], string[]] = [[], []];
    registry.onDrop((...documents) => dropped.push(...documents));
    registry.subscribe("Note", "1", () => heard.push(textOf(here())));

    expect(receive(make("new"))).toBe(true);

    expect([textOf(here()), textOf(old)]).toEqual(["new", "old"]);
    expect(dropped).toEqual([old, here()]);
    expect(heard).toEqual(["new"]);
    old.getText("body").insert(0, "nobody hears ");
    old.commit();
    here().getText("body").insert(0, "somebody hears ");
    here().commit();
    expect(heard).toEqual(["new", "somebody hears new"]);
  });

  test("keeps an edit that was made before any document came", () => {
    here().getText("body").insert(0, "early ");
    here().commit();
    const doc = here();

    receive(namedDocument("bird"));

    expect(here()).toBe(doc);
    expect(textOf(here()).length).toBe("early bird".length);
  });

  test.each([
    ["with a name", namedDocument],
    ["without one", unnamedDocument],
  ])("merges an older state of its document, %s, as a restored server has it", (_name, make) => {
    const source = make("a");
    const older = source.fork();
    source.getText("body").insert(1, "b");
    source.commit();
    receive(source);
    const doc = here();
    older.getText("body").insert(0, "-");
    older.commit();

    receive(older);

    expect(here()).toBe(doc);
    expect(textOf(here())).toBe("-ab");
  });

  test("refuses a snapshot that cannot be read, and keeps its document", () => {
    receive(namedDocument("kept"));

    expect(registry.applyBinaryFrame(encodeCrdtFrame(CRDT_FRAME_SNAPSHOT, "Note", "1", Uint8Array.of(1, 2)))).toBe(false);

    expect(textOf(here())).toBe("kept");
  });
});

test("edits saved of another document are shown to the app, not merged, and written over", async () => {
  const takeAway = withIndexedDB();
  const store = new DocumentStore("other", globalThis.indexedDB);
  const row = { entity: "Note", rowId: "1" };
  const old = namedDocument("old");
  const version = old.oplogVersion().encode();
  const nothing = old.export({ mode: "update", from: old.oplogVersion() });
  await store.save("ann", row, { snapshot: old.export({ mode: "snapshot" }), version, tail: nothing, held: version, unsent: true }, null);
  const [doc, lost]: [LoroDoc, string[]] = [namedDocument("new"), []];

  const keeper = new Keeper(doc, row, store, "ann", {
    import: () => false,
    lost: (other) => lost.push(textOf(other)),
    serverHeld: () => undefined,
    progress: () => ({ held: versionOf(doc), unsent: false }),
  });
  await keeper.flush();

  expect(lost).toEqual(["old"]);
  await waitFor(async () => {
    const saved = new LoroDoc();
    saved.import((await store.load("ann", row))!.snapshot);
    expect(textOf(saved)).toBe("new");
  });
  takeAway();
});

test("nothing is sent of a document that has a successor", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  let posts = 0;
  const tied = (doc: LoroDoc): DocumentSync =>
    new DocumentSync(doc, { entity: "Note", rowId: "1" }, new LoroRegistry(), {
      post: () => Promise.reject(new Error(`no answer ${(posts += 1)}`)),
      rowIsQueued: () => false,
      subscribe: () => undefined,
      unsubscribe: () => undefined,
    });
  const old = unnamedDocument("old");
  const before = tied(old);
  await waitFor(() => expect(posts).toBe(1));
  const after = tied(new LoroDoc());

  after.succeeds(before);
  before.retry();
  await Bun.sleep(0);

  expect(posts).toBe(1);
  expect(after.status.lost).toBe(old);
  warn.mockRestore();
});

describe("a page", () => {
  const NOWHERE = "http://127.0.0.1:1";
  let server: CrdtServer;
  let storage: Storage;
  let takeAway: () => void;
  let warn: ReturnType<typeof spyOn>;

  beforeEach(() => {
    warn = spyOn(console, "warn").mockImplementation(() => undefined);
    server = new CrdtServer();
    server.remake("1", "milk");
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
    warn.mockRestore();
  });

  function launch(baseUrl: string): void {
    init({ baseUrl, wsUrl: `${baseUrl.replace("http", "ws")}/api/sync/ws`, reconnectDelay: 1, storage });
  }

  function end(): void {
    detachLoro();
    db.sync.stop();
    for (const { entity, rowId } of globalRegistry.cachedRows()) globalRegistry.evict(entity, rowId);
  }

  async function reload(baseUrl: string): Promise<void> {
    cleanup();
    window.dispatchEvent(new window.Event("pagehide"));
    await Bun.sleep(20);
    end();
    launch(baseUrl);
  }

  function open(): { current: { text: ReturnType<typeof useCollabText>; status: ReturnType<typeof useCollabStatus> } } {
    return renderHook(() => ({ text: useCollabText("Note", "1", "body"), status: useCollabStatus("Note", "1") })).result;
  }

  async function opened(text = "milk"): Promise<ReturnType<typeof open>> {
    const page = open();
    await waitFor(() => expect(page.current.text[0]).toBe(text));
    await waitFor(() => expect(page.current.status).toMatchObject({ loaded: true, unsent: false }));
    return page;
  }

  const saved = (): Promise<unknown> =>
    new DocumentStore(getAppName(), globalThis.indexedDB).load(JSON.stringify(["ann", null]), { entity: "Note", rowId: "1" });

  const type = (page: ReturnType<typeof open>, text: string): void => act(() => page.current.text[1](text));

  test("shows the row that was made again, and edits that one", async () => {
    const page = await opened();
    act(() => server.remake("1", "bread"));
    await waitFor(() => expect(page.current.text[0]).toBe("bread"));

    type(page, "bread, butter");

    await waitFor(() => expect(server.text("1")).toBe("bread, butter"));
    expect(page.current.status).toMatchObject({ loaded: true, lost: null, error: null });
    act(() => server.edit("1", 0, "more "));
    await waitFor(() => expect(page.current.text[0]).toBe("more bread, butter"));
  });

  test("whose edits were not sent when the row was made again hands them to the app, and sends them nowhere", async () => {
    const page = await opened();
    server.refuse = 503;
    type(page, "milk, honey");
    await waitFor(() => expect(server.posts()).toBe(1));

    server.refuse = null;
    server.remake("1", "bread");
    server.cut();

    await waitFor(() => expect(page.current.text[0]).toBe("bread"));
    await waitFor(() => expect(page.current.status).toMatchObject({ unsent: false, loaded: true }));
    expect(textOf(page.current.status.lost!)).toBe("milk, honey");
    expect(server.text("1")).toBe("bread");
    expect(warn).toHaveBeenCalled();
    await act(() => page.current.status.discard());
    await waitFor(() => expect(page.current.status).toMatchObject({ lost: null, loaded: true }));
    expect(page.current.text[0]).toBe("bread");
  });

  test("that edits an old document without having heard of the new one does not double anything", async () => {
    const page = await opened();
    server.docs.set("1", namedDocument("milk"));

    type(page, "milk, honey");

    await waitFor(() => expect(page.current.status.lost).not.toBeNull());
    await waitFor(() => expect(page.current.status).toMatchObject({ unsent: false, loaded: true }));
    expect([page.current.text[0], server.text("1")]).toEqual(["milk", "milk"]);
  });

  test.each(["sent", "unsent"])("that was away while the row was made again begins from the new one; old edits %s", async (was) => {
    const before = await opened();
    if (was === "unsent") {
      await reload(NOWHERE);
      const offline = open();
      await waitFor(() => expect(offline.current.text[0]).toBe("milk"));
      type(offline, "milk, honey");
    } else type(before, "milk, honey");
    if (was === "sent") await waitFor(() => expect(server.text("1")).toBe("milk, honey"));
    server.remake("1", "bread");

    await reload(server.url);
    const after = await opened("bread");

    expect(after.current.status.lost === null).toBe(was === "sent");
    expect(server.text("1")).toBe("bread");
    await reload(NOWHERE);
    const offline = open();
    await waitFor(() => expect(offline.current.text[0]).toBe("bread"));
  });

  test("forgets the document of a row that is gone, here and on the device", async () => {
    const page = await opened();
    await waitFor(async () => expect(await saved()).not.toBeNull());
    server.silent = true;

    act(() => server.tellGone("1", 7));

    await waitFor(() => expect(page.current.text[0]).toBe(""));
    await waitFor(async () => expect(await saved()).toBeNull());
  });

  test("forgets it on the device also when nobody has it open", async () => {
    await opened();
    await reload(server.url);
    startLoro();
    void db.sync;
    await waitFor(() => expect(db.sync.connected).toBe(true));
    expect(await saved()).not.toBeNull();

    server.tellGone("1", 7);

    await waitFor(async () => expect(await saved()).toBeNull());
  });

  test("gives a restored server the edits that it lost", async () => {
    const page = await opened();
    const backup = server.doc("1").fork();
    type(page, "milk, honey");
    await waitFor(() => expect(server.text("1")).toBe("milk, honey"));

    server.docs.set("1", backup);
    server.cut();

    await waitFor(() => expect(server.text("1")).toBe("milk, honey"), { timeout: 3000 });
    expect(page.current).toMatchObject({ text: ["milk, honey", expect.anything(), expect.anything()], status: { lost: null } });
  });

  test("keeps unsent edits of a row that is gone, and sends them when it is shown again", async () => {
    const page = await opened();
    server.refuse = 404;
    type(page, "milk, honey");
    await waitFor(() => expect(page.current.status).toMatchObject({ unsent: true, error: { status: 404 } }));

    act(() => server.tellGone("1", 7));
    await Bun.sleep(20);
    expect(page.current.text[0]).toBe("milk, honey");
    server.refuse = null;
    act(() => server.edit("1", 0, "more "));

    await waitFor(() => expect(server.text("1")).toBe("more milk, honey"));
    await waitFor(() => expect(page.current.status).toMatchObject({ unsent: false, error: null, lost: null }));
  });
});
