import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import {
  createTypedDb, db, type ResolvedSession, init, useAction, useEntityMutation, useQuery, useQueryRaw, useSession,
} from "../src/index.ts";
import { engine, event, freshClient } from "./fakes.ts";
import { StandIn } from "./standIn.ts";

let server: StandIn;

beforeEach(() => {
  server = new StandIn();
  server.routes.set("GET /api/auth/me", () => ({ user_id: "ann", is_admin: false, roles: [] }));
  server.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
  freshClient();
  init({ baseUrl: server.url, wsUrl: `${server.url.replace("http", "ws")}/api/sync/ws` });
});

afterEach(async () => {
  cleanup();
  db.sync.stop();
  await server.stop();
});

test("the engine starts when a component first needs it, and only once", async () => {
  expect(server.asked).toEqual([]);
  const { result } = renderHook(() => db.useQuery("Todo"), { wrapper: StrictMode });
  expect(result.current.loading).toBe(true);

  await waitFor(() => expect(result.current.loading).toBe(false));

  expect(server.asked.filter((name) => name === "GET /api/auth/me")).toHaveLength(1);
  await waitFor(() => expect(server.sockets).toHaveLength(1));
});

test("rendering on a server starts nothing", async () => {
  function Todos(): string {
    return String(db.useQuery("Todo").data.length);
  }

  expect(renderToString(<Todos />)).toBe("0");

  await Bun.sleep(20);
  expect(server.asked).toEqual([]);
});

test("another init stops the engine before it, and components follow the new one", async () => {
  const { result } = renderHook(() => db.useQuery("Todo"));
  const before = db.sync;
  await waitFor(() => expect(before.connected).toBe(true));

  act(() => init({ baseUrl: server.url, wsUrl: `${server.url.replace("http", "ws")}/api/sync/ws` }));

  expect(before.connection.kind).toBe("idle");
  expect(db.sync).not.toBe(before);
  act(() => db.sync.store.applyChanges([event("insert", "1", {})]));
  expect(result.current.data).toEqual([{ id: "1" }]);
});

test("an engine that the app stopped stays so", async () => {
  await waitFor(() => expect(db.sync.connected).toBe(true));
  db.sync.stop();

  await db.insert("Todo", { title: "milk" });

  expect(db.sync.connection.kind).toBe("idle");
});

test("a typed db is db", async () => {
  const typed = createTypedDb<{
    entities: { Todo: { id: string; title: string } };
    functions: { add: { input: { n: number }; output: number } };
    queries: Record<never, { input: unknown; output: unknown }>;
  }>();
  server.routes.set("POST /api/fn/add", (body) => (body as { n: number }).n + 1);
  expect(typed.untyped).toBe(db);
  expect(await typed.fn("add", { n: 1 })).toBe(2);

  const { result } = renderHook(() => typed.useQuery("Todo", { where: { title: "milk" } }));
  let id = "";
  await act(async () => void (id = await typed.insert("Todo", { title: "milk" })));
  expect(result.current.data).toEqual([{ id, title: "milk" }]);
  await act(() => typed.update("Todo", id, { title: "honey" }));
  expect(db.sync.store.get("Todo", id)?.["title"]).toBe("honey");
  await act(() => typed.delete("Todo", id));
  expect(db.sync.store.list("Todo")).toEqual([]);
});

test("a row is inserted, changed and removed at once, by functions that stay the same", async () => {
  const sync = engine();
  const { result, rerender } = renderHook(() => ({ rows: useQuery(sync, "Todo").data, todo: useEntityMutation(sync, "Todo") }));
  const { todo } = result.current;
  rerender();
  expect(result.current.todo).toBe(todo);

  await act(() => todo.insert({ id: "1", n: 1 }));
  expect(result.current.rows).toEqual([{ id: "1", n: 1 }]);
  await act(() => todo.update("1", { n: 2 }));
  expect(result.current.rows).toEqual([{ id: "1", n: 2 }]);
  await act(() => todo.remove("1"));
  expect(result.current.rows).toEqual([]);
});

test("an action's row is shown until the server's own is here", async () => {
  const sync = engine((path) =>
    path === "/api/sync/pull"
      ? { changes: done ? [event("insert", "real", { title: "milk" })] : [], cursor: { last_seq: done ? 99_999 : 0 }, has_more: false }
      : undefined);
  let done = false;
  let finish: () => void = () => undefined;
  const { result } = renderHook(() => ({
    rows: useQuery(sync, "Todo").data,
    add: useAction(sync, "Todo", () => new Promise<void>((resolve) => (finish = resolve))),
  }));
  let acted: Promise<void> | undefined;
  act(() => void (acted = result.current.add({ title: "milk" })));
  expect(result.current.rows).toMatchObject([{ title: "milk" }]);

  done = true;
  await act(async () => {
    finish();
    await acted;
  });

  expect(result.current.rows).toEqual([{ id: "real", title: "milk" }]);
});

test("an action that fails takes its row back and says so", async () => {
  const warn = spyOn(console, "warn").mockImplementation(() => undefined);
  const sync = engine();
  const { result } = renderHook(() => ({
    rows: useQuery(sync, "Todo").data,
    add: useAction(sync, "Todo", () => Promise.reject(new Error("no"))),
  }));

  await act(() => result.current.add({ title: "milk" }));

  expect(result.current.rows).toEqual([]);
  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
});

test("the session is asked for on mount and when another tab changes the token", async () => {
  let user = "ann";
  const sync = engine((path) => (path === "/api/auth/me" ? { user_id: user, tenant_id: "acme", is_admin: true, roles: ["x"] } : undefined));
  const { result } = renderHook(() => useSession(sync));
  expect(result.current).toMatchObject({ userId: null, isAuthenticated: false });
  await waitFor(() =>
    expect(result.current).toMatchObject({
      session: { userId: "ann", tenantId: "acme", isAdmin: true, roles: ["x"] } satisfies ResolvedSession,
      userId: "ann", tenantId: "acme", isAdmin: true, isAuthenticated: true,
    }),
  );

  user = "bob";
  for (const key of ["other", "pylon_theme"]) window.dispatchEvent(storageEvent(key));
  await Bun.sleep(5);
  expect(result.current.userId).toBe("ann");
  act(() => void window.dispatchEvent(storageEvent("pylon:shop:token")));

  await waitFor(() => expect(result.current.userId).toBe("bob"));
});

test("the raw stores stay the same and follow the replica", () => {
  const sync = engine();
  const { result, rerender } = renderHook(() => useQueryRaw(sync, "Todo"));
  const { current } = result;
  rerender();
  expect(result.current).toBe(current);
  let heard = 0;
  const stop = current.subscribe(() => (heard += 1));

  sync.store.applyChanges([event("insert", "1", {})]);
  stop();
  sync.store.applyChanges([event("insert", "2", {})]);

  expect(heard).toBe(1);
  expect(current.getSnapshot()).toHaveLength(2);
  expect(current.getServerSnapshot()).toEqual([]);
});

function storageEvent(key: string): Event {
  const Event = window.document.defaultView?.StorageEvent;
  if (Event === undefined) throw new Error("no page");
  return new Event("storage", { key });
}
