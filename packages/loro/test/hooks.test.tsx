import { act, cleanup, renderHook, renderToString, waitFor } from "../../react/test/dom.ts";
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { db, init } from "@pylonsync/react";
import { StrictMode } from "react";
import { freshClient } from "../../react/test/fakes.ts";
import { detachLoro, getLoroMap, globalRegistry, useCollabText, useLoroDoc } from "../src/index.ts";
import { CrdtServer } from "./server.ts";

let server: CrdtServer;
let rows = 0;
let row: string;

beforeEach(() => {
  row = `a/${++rows}`;
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

function posts(): number {
  return server.asked.filter((name) => name.startsWith("POST /api/crdt/")).length;
}

test("a document follows its frames: each one renders, and the object stays the same", async () => {
  server.edit(row, 0, "milk");
  const { result } = renderHook(() => {
    const doc = useLoroDoc("Note", row);
    return { doc, text: doc.getText("body").toString() };
  }, { wrapper: StrictMode });
  const { doc } = result.current;
  await waitFor(() => expect(result.current.text).toBe("milk"));

  server.edit(row, 4, " and honey");

  await waitFor(() => expect(result.current.text).toBe("milk and honey"));
  expect(result.current.doc).toBe(doc);
  expect(posts()).toBe(0);
});

test("a text that is set shows at once, reaches the server, and keeps what others wrote meanwhile", async () => {
  server.edit(row, 0, "milk");
  const { result } = renderHook(() => useCollabText("Note", row, "body"));
  await waitFor(() => expect(result.current[0]).toBe("milk"));

  server.doc(row).getText("body").insert(0, "buy ");
  server.doc(row).commit();
  act(() => result.current[1]("milk and honey"));
  expect(result.current[0]).toBe("milk and honey");

  await waitFor(() => expect(server.text(row)).toBe("buy milk and honey"));
  await waitFor(() => expect(result.current[0]).toBe("buy milk and honey"));
});

test("what is edited in the document itself is sent as well, in one piece while a request is under way", async () => {
  const { result } = renderHook(() => useLoroDoc("Note", row));
  const title = getLoroMap(result.current, "row");
  act(() => {
    for (const text of ["a", "b", "c"]) {
      title.set("title", text);
      result.current.commit();
    }
  });

  await waitFor(() => expect(server.doc(row).getMap("row").get("title")).toBe("c"));

  expect(posts()).toBeLessThanOrEqual(2);
});

test("what was edited before anybody followed the row is sent when somebody does", async () => {
  globalRegistry.doc("Note", row).getText("body").insert(0, "early");
  globalRegistry.doc("Note", row).commit();

  renderHook(() => useLoroDoc("Note", row));

  await waitFor(() => expect(server.text(row)).toBe("early"));
});

test("an edit that nobody took is sent again", async () => {
  server.refusals.push(Response.json({}, { status: 503 }));
  const { result } = renderHook(() => useCollabText("Note", row, "body"));
  act(() => result.current[1]("kept"));

  await waitFor(() => expect(server.text(row)).toBe("kept"), { timeout: 3000 });

  expect(posts()).toBe(2);
});

test("an edit that is refused is reported, not repeated, and goes with the next one", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  server.refusals.push(Response.json({ error: { code: "POLICY_DENIED", message: "no" } }, { status: 403 }));
  const { result } = renderHook(() => useCollabText("Note", row, "body"));
  act(() => result.current[1]("one"));
  await waitFor(() => expect(warn).toHaveBeenCalledTimes(1));
  expect(server.text(row)).toBe("");

  act(() => result.current[1]("one two"));

  await waitFor(() => expect(server.text(row)).toBe("one two"));
  warn.mockRestore();
});

test("what was edited is sent although the component has gone", async () => {
  const { result, unmount } = renderHook(() => useCollabText("Note", row, "body"));
  act(() => result.current[1]("bye"));
  unmount();

  await waitFor(() => expect(server.text(row)).toBe("bye"));
});

test("the server is told of the first component that follows a row, and after the last", async () => {
  const one = renderHook(() => useLoroDoc("Note", row));
  const two = renderHook(() => useLoroDoc("Note", row));
  await waitFor(() => expect(db.sync.connected).toBe(true));
  one.rerender();
  one.unmount();
  two.unmount();

  await waitFor(() => expect(server.received).toHaveLength(2));
  expect(server.received).toEqual([
    { type: "crdt-subscribe", entity: "Note", rowId: row },
    { type: "crdt-unsubscribe", entity: "Note", rowId: row },
  ]);
});

test("after a lost connection the document comes up to date by itself", async () => {
  const { result } = renderHook(() => useCollabText("Note", row, "body"));
  await waitFor(() => expect(server.received).toHaveLength(1));
  for (const socket of server.sockets.splice(0)) socket.terminate();
  server.edit(row, 0, "meanwhile");

  await waitFor(() => expect(result.current[0]).toBe("meanwhile"), { timeout: 3000 });
});

test("an evicted document comes again, to all who show it", async () => {
  server.edit(row, 0, "milk");
  const roots = [1, 2].map(() => renderHook(() => useCollabText("Note", row, "body")));
  for (const { result } of roots) await waitFor(() => expect(result.current[0]).toBe("milk"));

  act(() => globalRegistry.evict("Note", row));

  for (const { result } of roots) await waitFor(() => expect(result.current[0]).toBe("milk"));
  expect(server.received).toHaveLength(3);
});

test("detached, no frame comes in", async () => {
  const { result } = renderHook(() => useCollabText("Note", row, "body"));
  await waitFor(() => expect(server.received).toHaveLength(1));
  detachLoro();

  server.edit(row, 0, "unheard");
  await Bun.sleep(30);

  expect(result.current[0]).toBe("");
});

test("a server renders an empty document and asks for nothing", async () => {
  function Body(): string {
    return `[${useCollabText("Note", row, "body")[0]}]`;
  }

  expect(renderToString(<Body />)).toBe("[]");
  await Bun.sleep(10);
  expect(server.asked).toEqual([]);
});
