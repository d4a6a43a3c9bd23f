import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, expect, test } from "bun:test";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { useQuery, useQueryOne } from "../src/index.ts";
import type { Row } from "../src/index.ts";
import { liveRows } from "../src/liveRows.ts";
import { engine, event } from "./fakes.ts";

afterEach(cleanup);

test("an empty table is loading until the first pull has ended, and no longer", async () => {
  const sync = engine();
  const { result } = renderHook(() => useQuery(sync, "Todo"));
  expect(result.current).toMatchObject({ data: [], loading: true, error: null });

  await act(() => sync.start());

  expect(result.current).toMatchObject({ data: [], loading: false });
  act(() => sync.stop());
});

test("when the server cannot be asked, waiting ends with the reason, which goes when it can", async () => {
  let failing = true;
  const sync = engine((path) => {
    if (failing && path === "/api/sync/pull") throw new TypeError("nobody answers");
    return undefined;
  });
  const { result } = renderHook(() => [useQuery(sync, "Todo"), useQueryOne(sync, "Todo", "a")] as const);

  await act(() => sync.start());
  for (const query of result.current) expect(query).toMatchObject({ loading: false, error: { message: "nobody answers" } });

  act(() => sync.store.applyChanges([event("insert", "a", {})]));
  expect(result.current[0]).toMatchObject({ data: [{ id: "a" }], error: { message: "nobody answers" } });
  failing = false;
  await act(() => result.current[0].refetch());

  for (const query of result.current) expect(query).toMatchObject({ loading: false, error: null });
  act(() => sync.stop());
});

test("related rows are included, and followed, when the query says how they hang together", () => {
  const sync = engine();
  sync.store.applyChanges([
    event("insert", "t1", { author: "u1" }),
    event("insert", "t2", { author: "nobody" }),
    event("insert", "u1", { name: "Ann" }, "User"),
    event("insert", "c1", { todo: "t1" }, "Comment"),
  ]);
  const include = {
    by: { entity: "User", field: "author" },
    comments: { entity: "Comment", foreignField: "todo" },
    relation: {},
  };
  const { result, unmount } = renderHook(() => useQuery(sync, "Todo", { include }));
  expect(result.current.data).toEqual([
    { id: "t1", author: "u1", by: { id: "u1", name: "Ann" }, comments: [{ id: "c1", todo: "t1" }] },
    { id: "t2", author: "nobody", by: null, comments: [] },
  ]);
  const [first, second] = result.current.data;

  act(() => sync.store.applyChanges([event("insert", "c2", { todo: "t2" }, "Comment")]));

  expect(result.current.data[0]).toBe(first);
  expect(result.current.data[1]).toEqual({ ...second, comments: [{ id: "c2", todo: "t2" }] });
  unmount();
});

test("rows that are there before the first pull are shown, not awaited", () => {
  const sync = engine();
  sync.hydrate({ entities: { Todo: [{ id: "1" }] } });

  const { result } = renderHook(() => useQuery(sync, "Todo"));

  expect(result.current).toMatchObject({ data: [{ id: "1" }], loading: false });
});

test("rows come filtered, sorted and cut off, and follow the replica", () => {
  const sync = engine();
  const { result } = renderHook(() =>
    useQuery(sync, "Todo", { where: { done: false }, orderBy: { n: "desc" }, limit: 2 }),
  );

  act(() =>
    sync.store.applyChanges([
      event("insert", "a", { done: false, n: 1 }),
      event("insert", "b", { done: true, n: 2 }),
      event("insert", "c", { done: false, n: 3 }),
      event("insert", "d", { done: false, n: 2 }),
    ]),
  );
  expect(result.current.data.map(({ id }) => id)).toEqual(["c", "d"]);

  act(() => sync.store.applyChanges([event("update", "c", { done: true })]));
  expect(result.current.data.map(({ id }) => id)).toEqual(["d", "a"]);
});

test("what does not concern the query neither renders nor changes the array", () => {
  const sync = engine();
  sync.store.applyChanges([event("insert", "a", { done: false }), event("insert", "b", { done: true })]);
  let renders = 0;
  const { result } = renderHook(() => {
    renders += 1;
    return useQuery(sync, "Todo", { where: { done: false } });
  });
  const before = result.current;
  const rendersBefore = renders;

  act(() => {
    sync.store.applyChanges([event("insert", "x", {}, "Other")]);
    sync.store.applyChanges([event("update", "b", { title: "hidden" })]);
    sync.store.applyChanges([event("insert", "a", { done: false })]);
    sync.store.notify();
  });

  expect(result.current).toBe(before);
  expect(renders).toBe(rendersBefore);
});

test("rows that did not change are the objects they were", () => {
  const sync = engine();
  sync.store.applyChanges([event("insert", "a", { n: 1 }), event("insert", "b", { n: 1 })]);
  const { result } = renderHook(() => useQuery(sync, "Todo"));
  const [a, b] = result.current.data;

  act(() => sync.store.applyChanges([event("insert", "a", { n: 1 }), event("update", "b", { n: 2 })]));

  expect(result.current.data[0]).toBe(a);
  expect(result.current.data[1]).not.toBe(b);
});

test("options may change, also from undefined", () => {
  const sync = engine();
  sync.store.applyChanges([event("insert", "a", { owner: "ann" }), event("insert", "b", { owner: "bob" })]);
  const { result, rerender } = renderHook(({ owner }: { owner?: string | undefined }) =>
    useQuery(sync, "Todo", { where: { owner } }), { initialProps: { owner: undefined as string | undefined } },
  );
  expect(result.current.data).toEqual([]);

  rerender({ owner: "bob" });

  expect(result.current.data.map(({ id }) => id)).toEqual(["b"]);
});

test("a condition on a missing member is a condition", () => {
  const sync = engine();
  sync.store.applyChanges([event("insert", "a", { owner: "ann" })]);
  const { result, rerender } = renderHook(({ where }: { where: Row }) => useQuery(sync, "Todo", { where }), {
    initialProps: { where: {} },
  });
  expect(result.current.data).toHaveLength(1);

  rerender({ where: { owner: undefined } });

  expect(result.current.data).toEqual([]);
});

test("a store that was read before it was subscribed to shows what happened in between", () => {
  const sync = engine();
  const rows = liveRows(sync, "Todo");
  rows.getSnapshot();
  sync.store.applyChanges([event("insert", "a", {})]);
  const stop = rows.subscribe(() => undefined);

  expect(rows.getSnapshot()).toHaveLength(1);

  stop();
  stop();
  sync.store.applyChanges([event("insert", "b", {})]);
  expect(rows.getSnapshot()).toHaveLength(2);
});

test("a change between rendering and subscribing is not missed", async () => {
  const sync = engine();
  let first = true;
  const { result } = renderHook(() => {
    const query = useQuery(sync, "Todo");
    if (first) queueMicrotask(() => sync.store.applyChanges([event("insert", "a", {})]));
    first = false;
    return query;
  });

  await waitFor(() => expect(result.current.data).toHaveLength(1));
});

test("mounted twice by StrictMode it still follows, and unmounted it listens no more", () => {
  const sync = engine();
  const { result, unmount } = renderHook(() => useQuery(sync, "Todo"), { wrapper: StrictMode });
  act(() => sync.store.applyChanges([event("insert", "a", {})]));
  expect(result.current.data).toHaveLength(1);

  unmount();
  sync.store.applyChanges([event("insert", "b", {})]);

  expect(result.current.data).toHaveLength(1);
});

test("another engine shows its own rows", () => {
  const [one, two] = [engine(), engine()];
  one.store.applyChanges([event("insert", "a", {})]);
  two.store.applyChanges([event("insert", "b", {})]);
  const { result, rerender } = renderHook(({ sync }) => useQuery(sync, "Todo"), { initialProps: { sync: one } });

  rerender({ sync: two });

  expect(result.current.data.map(({ id }) => id)).toEqual(["b"]);
});

test("one row is followed, from its coming to its going", async () => {
  const sync = engine();
  const { result } = renderHook(() => useQueryOne<{ id: string; n: number }>(sync, "Todo", "a"));
  expect(result.current).toMatchObject({ data: null, loading: true });

  act(() => sync.store.applyChanges([event("insert", "a", { n: 1 })]));
  const row = result.current.data;
  act(() => sync.store.applyChanges([event("insert", "b", { n: 1 })]));
  expect(result.current.data).toBe(row);

  await act(() => sync.start());
  act(() => sync.store.applyChanges([event("delete", "a")]));
  expect(result.current).toMatchObject({ data: null, loading: false });
  act(() => sync.stop());
});

test("a server renders no rows and starts nothing", () => {
  const sync = engine();
  sync.store.applyChanges([event("insert", "a", {})]);
  function Count(): string {
    const { data, loading } = useQuery(sync, "Todo");
    return `${data.length} ${loading}`;
  }

  expect(renderToString(<Count />)).toBe("0 true");
});
