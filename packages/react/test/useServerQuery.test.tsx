import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { StrictMode } from "react";
import { debounce } from "../src/debounce.ts";
import { useAggregate, useSearch } from "../src/index.ts";
import { event, FakeFetch, fetchingEngine, freshClient } from "./fakes.ts";

let network: FakeFetch;

beforeEach(() => {
  freshClient();
  network = new FakeFetch();
});

afterEach(() => {
  cleanup();
  network.restore();
});

const page = (id: string): unknown => ({ hits: [{ id }], facetCounts: { brand: { Atlas: 1 } }, total: 1, tookMs: 2 });

test("a search asks in the server's words and shows what it answers", async () => {
  const sync = fetchingEngine();
  const { result } = renderHook(() => useSearch(sync, "Product", { query: "red", facets: ["brand"], page: 1 }));
  expect(result.current).toMatchObject({ hits: [], facetCounts: {}, total: 0, loading: true });
  expect(network.paths()).toEqual(["POST /api/search/Product"]);
  expect(network.last.body).toEqual({ query: "red", facets: ["brand"], page: 1, page_size: 20 });

  network.last.answer(page("1"));

  await waitFor(() => expect(result.current).toMatchObject({ ...(page("1") as object), loading: false, error: null }));
});

test("of two quick questions only the later answer is shown, and the earlier request is given up", async () => {
  const sync = fetchingEngine();
  const { result, rerender } = renderHook(({ query }) => useSearch(sync, "Product", { query }), {
    initialProps: { query: "r" },
  });
  rerender({ query: "re" });
  expect(network.seen.map(({ signal }) => signal?.aborted)).toEqual([true, false]);

  network.seen[1]?.answer(page("later"));
  network.seen[0]?.answer(page("earlier"));

  await waitFor(() => expect(result.current.loading).toBe(false));
  expect(result.current.hits).toEqual([{ id: "later" }]);
});

test("the old hits stay while a new question is under way", async () => {
  const sync = fetchingEngine();
  const { result, rerender } = renderHook(({ query }) => useSearch(sync, "Product", { query }), {
    initialProps: { query: "a" },
  });
  network.last.answer(page("a"));
  await waitFor(() => expect(result.current.loading).toBe(false));

  rerender({ query: "b" });

  expect(result.current).toMatchObject({ hits: [{ id: "a" }], loading: true });
});

test("an aggregate is counted again once its rows have come to rest, and not for other entities", async () => {
  const sync = fetchingEngine();
  const { result } = renderHook(() => useAggregate(sync, "Sale", { count: "*" }));
  network.last.answer({ rows: [{ count: 1 }] });
  await waitFor(() => expect(result.current.data).toEqual([{ count: 1 }]));
  sync.store.applyChanges([event("insert", "x", {}, "Other")]);
  expect(network.seen).toHaveLength(1);

  const changedAt = performance.now();
  for (const id of ["1", "2", "3"]) sync.store.applyChanges([event("insert", id, {}, "Sale")]);
  expect(network.seen).toHaveLength(1);
  await waitFor(() => expect(network.seen).toHaveLength(2));

  expect(performance.now() - changedAt).toBeGreaterThan(140);
  expect(result.current.loading).toBe(false);
  network.last.answer({ rows: [{ count: 4 }] });
  await waitFor(() => expect(result.current.data).toEqual([{ count: 4 }]));
});

test("a refusal is shown, and asking again may help", async () => {
  const sync = fetchingEngine();
  const { result } = renderHook(() => useAggregate(sync, "Sale", { sum: ["amount"] }));
  network.last.answer({ error: { code: "INVALID_COLUMN", message: "no such field" } }, 400);
  await waitFor(() => expect(result.current).toMatchObject({ data: null, loading: false }));
  expect(result.current.error?.message).toBe("no such field");

  act(() => void result.current.refresh());
  expect(result.current.loading).toBe(true);
  network.last.answer({ rows: [] });

  await waitFor(() => expect(result.current).toMatchObject({ data: [], error: null, loading: false }));
});

test("asking again gives up the request under way", async () => {
  const sync = fetchingEngine();
  const { result } = renderHook(() => useAggregate(sync, "Sale", { count: "*" }));

  act(() => void result.current.refresh());

  expect(network.seen.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
});

test("mounted twice it asks again and gives up the first request; unmounted it gives up the rest", () => {
  const sync = fetchingEngine();
  const { unmount } = renderHook(() => useAggregate(sync, "Sale", { count: "*" }), { wrapper: StrictMode });
  expect(network.seen.map(({ signal }) => signal?.aborted)).toEqual([true, false]);

  unmount();

  expect(network.seen.map(({ signal }) => signal?.aborted)).toEqual([true, true]);
});

test("calls that do not end put an action off only so long", async () => {
  let runs = 0;
  const soon = debounce(() => (runs += 1), 40, 100);
  const begun = performance.now();

  while (runs === 0) {
    soon();
    await Bun.sleep(10);
  }

  expect(performance.now() - begun).toBeGreaterThan(90);
  expect(performance.now() - begun).toBeLessThan(1000);
  soon.cancel();
});
