/**
 * Against a real server, whose address is in PYLON_TEST_URL; tests/packages/test_react.py starts one with the
 * entities Todo, Product and Sale and the functions add and fail, and runs this.
 */

import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { StrictMode } from "react";
import {
  callFn, createSession, createSyncEngine, db, fetchById, fetchList, getAuthContext, getServerData, init, insert,
  listFns, remove, setReactStorage, storageKey, streamFn, type SyncEngine, update, uploadFile, uploadFileMultipart,
  useAggregate, useInfiniteQuery, useMutation, useQuery, useSearch, useSession,
} from "../src/index.ts";
import { memoryStorage } from "./fakes.ts";

const URL_OF_SERVER = process.env["PYLON_TEST_URL"] ?? "";
const PATIENCE = { timeout: 5000 };

async function guest(): Promise<{ token: string; user_id: string }> {
  const response = await fetch(`${URL_OF_SERVER}/api/auth/guest`, { method: "POST" });
  return (await response.json()) as { token: string; user_id: string };
}

function wsUrl(): string {
  return `${URL_OF_SERVER.replace("http", "ws")}/api/sync/ws`;
}

function connect(token: string): SyncEngine {
  return createSyncEngine(URL_OF_SERVER, { token, wsUrl: wsUrl(), storage: memoryStorage() });
}

describe.skipIf(URL_OF_SERVER === "")("with a server", () => {
  let me: { token: string; user_id: string };
  const engines: SyncEngine[] = [];

  beforeEach(async () => {
    me = await guest();
    const storage = memoryStorage();
    setReactStorage(storage);
    init({ baseUrl: URL_OF_SERVER, appName: "default", wsUrl: wsUrl(), storage });
    storage.set(storageKey("token"), me.token);
  });

  afterEach(() => {
    cleanup();
    for (const engine of [db.sync, ...engines.splice(0)]) engine.stop();
  });

  test("what one client writes, another one's component shows", async () => {
    const other = connect((await guest()).token);
    engines.push(other);
    await other.start();
    const { result } = renderHook(() => db.useQuery("Todo", { where: { shared: "board" }, orderBy: { title: "asc" } }), {
      wrapper: StrictMode,
    });
    await waitFor(() => expect(result.current).toMatchObject({ data: [], loading: false }), PATIENCE);

    let id = "";
    await act(async () => void (id = await other.insert("Todo", { title: "milk", shared: "board", done: false })));
    await waitFor(() => expect(result.current.data).toMatchObject([{ id, title: "milk" }]), PATIENCE);
    await act(() => db.update("Todo", id, { done: true }));
    await waitFor(() => expect(other.store.get("Todo", id)).toMatchObject({ done: true }), PATIENCE);
    await act(() => db.delete("Todo", id));
    await waitFor(() => expect(other.store.get("Todo", id)).toBeNull(), PATIENCE);

    expect(result.current.data).toEqual([]);
  });

  test("rows over HTTP, from creating to removing", async () => {
    const { id } = await insert("Todo", { title: "honey", shared: "http", done: false });
    expect(await fetchById("Todo", id)).toMatchObject({ id, title: "honey" });
    expect(await update("Todo", id, { done: true })).toMatchObject({ updated: true });
    expect((await fetchList("Todo")).find((row) => row["id"] === id)).toMatchObject({ done: true });
    expect(await remove("Todo", id)).toMatchObject({ deleted: true });
    expect(await fetchById("Todo", id)).toBeNull();
  });

  test("a function is called, and its failure shown in its words", async () => {
    expect(await callFn<number>("add", { a: 1, b: 2 })).toBe(3);
    const { result } = renderHook(() => useMutation<object, number>("fail"));

    let rejected: unknown;
    await act(() => result.current.mutate({}).catch((error: unknown) => (rejected = error)));

    expect(result.current).toMatchObject({ loading: false, error: rejected as Error });
    expect(rejected).toMatchObject({ message: "Not on a Sunday.", code: "CLOSED" });
  });

  test("a streamed call ends with the function's result", async () => {
    expect(await streamFn("add", { a: 2, b: 2 }).next()).toEqual({ done: true, value: 4 });
  });

  test("functions are listed for the administrator only", async () => {
    expect(listFns()).rejects.toMatchObject({ status: 403, code: "FORBIDDEN" });
  });

  test("an aggregate follows the rows", async () => {
    const { result } = renderHook(() =>
      useAggregate<{ count: number; sum_amount: number }>(db.sync, "Sale", { count: "*", sum: ["amount"], where: { by: me.user_id } }),
    );
    await waitFor(() => expect(result.current.data).toMatchObject([{ count: 0 }]), PATIENCE);

    await act(async () => void (await db.insert("Sale", { by: me.user_id, amount: 3 })));
    await act(async () => void (await db.insert("Sale", { by: me.user_id, amount: 4 })));

    await waitFor(() => expect(result.current.data).toEqual([{ count: 2, sum_amount: 7 }]), PATIENCE);
  });

  test("a search finds words and counts facets, page by page", async () => {
    const word = `w${Date.now()}`;
    for (const brand of ["Atlas", "Atlas", "Bolt"]) await insert("Product", { title: `red ${word}`, brand });
    const { result, rerender } = renderHook(
      ({ page }) => useSearch(db.sync, "Product", { query: word, facets: ["brand"], page, pageSize: 2 }),
      { initialProps: { page: 0 } },
    );
    await waitFor(() => expect(result.current.hits).toHaveLength(2), PATIENCE);
    expect(result.current).toMatchObject({ total: 3, facetCounts: { brand: { Atlas: 2, Bolt: 1 } }, error: null });

    rerender({ page: 1 });

    await waitFor(() => expect(result.current.hits).toHaveLength(1), PATIENCE);
  });

  test("a list grows page by page to its end", async () => {
    const sync = connect(me.token);
    for (const n of [1, 2, 3]) await insert("Todo", { title: `${n}`, shared: "pages", done: false });
    const { result } = renderHook(() => useInfiniteQuery(sync, "Todo", { pageSize: 2, order: { title: "asc" } }));
    await waitFor(() => expect(result.current.data).toHaveLength(2), PATIENCE);

    while (result.current.hasMore) await act(() => result.current.loadMore());

    expect(result.current.data.length).toBe((await fetchList("Todo")).length);
  });

  test("files go up both ways and come down as they were", async () => {
    const plain = await uploadFile(new Blob(["grüße"], { type: "text/plain" }), { filename: "grüße.txt" });
    const form = await uploadFileMultipart(new File(["two"], "two.txt"), { note: "x" });

    for (const [file, text] of [[plain, "grüße"], [form, "two"]] as const) {
      const response = await fetch(`${URL_OF_SERVER}/api/files/${file.id}`, { headers: { Authorization: `Bearer ${me.token}` } });
      expect(await response.text()).toBe(text);
      expect(file.size).toBe(new TextEncoder().encode(text).length);
    }
  });

  test("another session is another user, whose rows are shown instead", async () => {
    const { result } = renderHook(() => ({ session: useSession(db.sync), mine: db.useQuery("Private") }));
    await waitFor(() => expect(result.current.session.userId).toBe(me.user_id), PATIENCE);
    await act(async () => void (await db.insert("Private", { owner: me.user_id })));
    await waitFor(() => expect(result.current.mine.data).toHaveLength(1), PATIENCE);

    const other = await guest();
    db.sync.storage.set(storageKey("token"), other.token);
    await act(() => result.current.session.refresh());

    await waitFor(() => expect(result.current.session.userId).toBe(other.user_id), PATIENCE);
    await waitFor(() => expect(result.current.mine.data).toEqual([]), PATIENCE);
  });

  test("in development one signs in as anyone, and asking who one is says so", async () => {
    const { token } = await createSession("ann");

    expect(await getAuthContext(token)).toMatchObject({ user_id: "ann" });
    expect(await getAuthContext()).toMatchObject({ user_id: null });
  });

  test("rows that were read for a page are shown before the engine has started", async () => {
    await insert("Todo", { title: "first", shared: "ssr", done: false });
    const engine = connect(me.token);
    engine.hydrate(await getServerData(URL_OF_SERVER, ["Todo"], { token: me.token }));

    const { result } = renderHook(() => useQuery(engine, "Todo", { where: { shared: "ssr" } }));

    expect(result.current).toMatchObject({ loading: false, data: [{ title: "first" }] });
  });
});
