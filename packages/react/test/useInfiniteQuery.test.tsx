import { act, cleanup, render, renderHook, waitFor } from "./dom.ts";
import { afterEach, expect, test } from "bun:test";
import { Activity, StrictMode, type ReactElement } from "react";
import { useInfiniteQuery, usePaginatedQuery } from "../src/index.ts";
import { engine, FakeFetch, fetchingEngine } from "./fakes.ts";

afterEach(cleanup);

/** An engine over five rows, and the pages that were asked of it. */
function pages(): { sync: ReturnType<typeof engine>; asked: unknown[]; fail: (next: boolean) => void } {
  const asked: unknown[] = [];
  let failing = false;
  const sync = engine((path, body) => {
    if (!path.startsWith("/api/query/")) return undefined;
    asked.push(body);
    if (failing) throw new TypeError("nobody answers");
    const { $limit, $offset } = body as { $limit: number; $offset: number };
    return [0, 1, 2, 3, 4].map((n) => ({ id: `${path.at(-1)}${n}` })).slice($offset, $offset + $limit);
  });
  return { sync, asked, fail: (next) => void (failing = next) };
}

test("the first page comes by itself, once, and each further one when asked", async () => {
  const { sync, asked } = pages();
  const { result } = renderHook(() => useInfiniteQuery(sync, "A", { pageSize: 2 }), { wrapper: StrictMode });
  expect(result.current).toMatchObject({ data: [], loading: true, hasMore: true });
  await waitFor(() => expect(result.current.loading).toBe(false));

  await act(async () => void (await Promise.all([result.current.loadMore(), result.current.loadMore()])));
  expect(result.current.data.map(({ id }) => id)).toEqual(["A0", "A1", "A2", "A3"]);

  await act(() => result.current.loadMore());
  await act(() => result.current.loadMore());
  expect(result.current).toMatchObject({ hasMore: false, loading: false, error: null });
  expect(asked).toEqual([0, 2, 4].map(($offset) => ({ $limit: 2, $offset })));
});

test("a page that fails says why and can be asked for again", async () => {
  const { sync, fail } = pages();
  fail(true);
  const { result } = renderHook(() => useInfiniteQuery(sync, "A"));
  await waitFor(() => expect(result.current).toMatchObject({ loading: false, hasMore: true }));
  expect(result.current.error?.message).toBe("nobody answers");

  fail(false);
  await act(() => result.current.loadMore());

  expect(result.current).toMatchObject({ error: null, hasMore: false });
});

test("a list that was hidden for a while holds the pages it held", async () => {
  const { sync, asked } = pages();
  function List(): string {
    return useInfiniteQuery(sync, "A", { pageSize: 2 }).data.map(({ id }) => id).join(" ");
  }
  const page = (mode: "visible" | "hidden"): ReactElement => <Activity mode={mode}><List /></Activity>;
  const { container, rerender } = render(page("visible"));
  await waitFor(() => expect(container.textContent).toBe("A0 A1"));

  rerender(page("hidden"));
  rerender(page("visible"));
  await act(() => Bun.sleep(5));

  expect(container.textContent).toBe("A0 A1");
  expect(asked).toHaveLength(1);
});

test("another entity begins anew", async () => {
  const { sync } = pages();
  const { result, rerender } = renderHook(({ entity }) => useInfiniteQuery(sync, entity), { initialProps: { entity: "A" } });
  await waitFor(() => expect(result.current.data).toHaveLength(5));

  rerender({ entity: "B" });

  expect(result.current.data).toEqual([]);
  await waitFor(() => expect(result.current.data[0]).toEqual({ id: "B0" }));
});

test("the state of a paginated list in a word", async () => {
  const { sync } = pages();
  const seen: string[] = [];
  const { result } = renderHook(() => {
    const list = usePaginatedQuery(sync, "A", { initialNumItems: 3 });
    if (seen.at(-1) !== list.status) seen.push(list.status);
    return list;
  });
  await waitFor(() => expect(result.current.status).toBe("CanLoadMore"));

  await act(() => result.current.loadMore(100));

  expect(result.current.results).toHaveLength(5);
  expect(seen).toEqual(["LoadingFirstPage", "CanLoadMore", "LoadingMore", "Exhausted"]);
});

test("a page under way is given up when the component goes or asks for something else", async () => {
  const network = new FakeFetch();
  const sync = fetchingEngine();
  const { unmount, rerender } = renderHook(({ entity }) => useInfiniteQuery(sync, entity), {
    initialProps: { entity: "A" }, wrapper: StrictMode,
  });
  expect(network.paths()).toEqual(["POST /api/query/A"]);

  rerender({ entity: "B" });
  await waitFor(() => expect(network.seen.map(({ signal }) => signal?.aborted)).toEqual([true, false]));
  unmount();

  await waitFor(() => expect(network.last.signal?.aborted).toBe(true));
  network.restore();
});
