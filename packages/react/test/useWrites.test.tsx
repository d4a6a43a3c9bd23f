/** What a page says of itself: connected or not, what is unsent, what was refused. */

import { act, cleanup, renderHook, renderToString, waitFor } from "./dom.ts";
import { afterEach, expect, spyOn, test } from "bun:test";
import { StrictMode } from "react";
import {
  createTypedDb, db, init, onEngineStarted, type SyncEngine, useConnection, useFailedWrites, useSession, useUnsent,
} from "../src/index.ts";
import { engine, freshClient } from "./fakes.ts";
import { StandIn } from "./standIn.ts";

afterEach(cleanup);

/** What the browser says of its network. */
function network(isThere: boolean): void {
  Object.defineProperty(navigator, "onLine", { value: isThere, configurable: true });
  act(() => void window.dispatchEvent(new window.Event(isThere ? "online" : "offline")));
}

test("unsent writes are counted and listed until the server has them, and the list stays the same until it changes", async () => {
  let answer = (): void => undefined;
  const gate = new Promise<void>((resolve) => (answer = resolve));
  const sync = engine(async (path) => {
    if (path === "/api/sync/push") await gate;
    return undefined;
  });
  await sync.pull();
  const { result, rerender } = renderHook(() => useUnsent(sync), { wrapper: StrictMode });
  const before = result.current;
  expect(before).toEqual({ count: 0, writes: [] });

  act(() => void sync.create("Todo", { id: "a", title: "milk" }));
  const waiting = result.current;
  act(() => sync.store.notify());
  rerender();

  expect(result.current).toBe(waiting);
  expect(waiting.count).toBe(1);
  expect(waiting.writes.map(({ change }) => change.row_id)).toEqual(["a"]);
  const stop = sync.unsent.add({ count: () => 2, subscribe: () => () => undefined });
  await waitFor(() => expect(result.current.count).toBe(3));
  expect(result.current.writes).toBe(waiting.writes);
  act(stop);
  answer();
});

test("a refused write is shown with the server's code until it is dismissed", async () => {
  const sync = engine((path, body) => {
    if (path !== "/api/sync/push") return undefined;
    const [{ op_id }] = (body as { changes: [{ op_id: string }] }).changes;
    const results = [{ op_id, status: "failed", row_id: "a", error: "not yours", code: "POLICY_DENIED" }];
    return { applied: 0, errors: ["not yours"], results, cursor: { last_seq: 0 } };
  });
  const { result } = renderHook(() => useFailedWrites(sync));

  await act(() => sync.update("Todo", "a", { title: "milk" }));

  expect(result.current.failed).toMatchObject([{ error: "not yours", code: "POLICY_DENIED" }]);
  act(() => result.current.dismiss(result.current.failed[0]!.id));
  expect(result.current.failed).toEqual([]);
});

test("the connection is one word, and follows the network, the socket and the answers", async () => {
  const server = new StandIn();
  server.routes.set("GET /api/auth/me", () => ({ user_id: "ann", is_admin: false, roles: [] }));
  server.routes.set("GET /api/sync/pull", () => ({ changes: [], cursor: { last_seq: 0 }, has_more: false }));
  freshClient();
  init({ baseUrl: server.url, wsUrl: server.url.replace("http", "ws"), reconnectDelay: 1 });
  const { result } = renderHook(() => db.useConnection());
  expect(result.current).toBe("connecting");
  await waitFor(() => expect(result.current).toBe("connected"));

  network(false);
  expect(result.current).toBe("offline");
  network(true);
  expect(result.current).toBe("connected");
  await server.stop();
  await waitFor(() => expect(result.current).toBe("offline"));
  db.sync.stop();
});

test("a client that polls is offline when nobody answers, and connected when it is refused", async () => {
  let fails = true;
  const sync = engine((path) => {
    if (path === "/api/sync/pull" && fails) throw new TypeError("nobody answers");
    return undefined;
  });
  const { result } = renderHook(() => useConnection(sync));

  await act(() => sync.start());
  expect(result.current).toBe("offline");
  fails = false;
  await act(() => sync.pull());

  expect(result.current).toBe("connected");
  sync.stop();
});

test("whose word it is that nobody is signed in, is told", async () => {
  let fails = true;
  const sync = engine((path) => {
    if (path === "/api/auth/me" && fails) throw new TypeError("nobody answers");
    return undefined;
  });
  const { result } = renderHook(() => useSession(sync));
  await act(() => sync.pull());
  expect(result.current).toMatchObject({ userId: null, identity: "unknown" });
  fails = false;

  await act(() => result.current.refresh());

  expect(result.current).toMatchObject({ userId: "ann", identity: "known" });
});

test("the engine is had in a render without being started by it, and who waits for it hears of it", async () => {
  const server = new StandIn();
  freshClient();
  init({ baseUrl: server.url, transport: "poll" });
  const typed = createTypedDb<{ entities: {}; functions: {}; queries: {} }>();
  const begun: SyncEngine[] = [];
  const stop = onEngineStarted((sync) => begun.push(sync));
  const Page = (): string => typed.useSync().connection.kind + typed.useConnection() + String(typed.useUnsent().count);

  expect(renderToString(<Page />)).toBe("idleconnecting0");
  expect(begun).toEqual([]);
  const { result } = renderHook(() => typed.useSync());
  expect(begun).toEqual([result.current]);
  expect(typed.sync).toBe(result.current);

  act(() => init({ baseUrl: server.url, transport: "poll" }));
  expect(begun).toEqual([expect.anything(), typed.sync]);
  stop();
  const late: SyncEngine[] = [];
  onEngineStarted((sync) => late.push(sync))();
  expect(late).toEqual([typed.sync]);
  typed.sync.stop();
  await server.stop();
});

test("what is created has its id at once", async () => {
  const insert = spyOn(console, "warn").mockImplementation(() => undefined);
  const server = new StandIn();
  freshClient();
  init({ baseUrl: server.url, transport: "poll" });
  const { result } = renderHook(() => db.useEntity("Todo"));

  const made = result.current.create({ title: "milk" });

  expect(db.sync.store.get("Todo", made.id)).toMatchObject({ title: "milk" });
  const named = db.create("Todo", { id: "a" });
  expect(named.id).toBe("a");
  await Promise.all([made.sent, named.sent]);
  db.sync.stop();
  insert.mockRestore();
  await server.stop();
});
