import { act, cleanup, renderHook, waitFor } from "./dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { StrictMode } from "react";
import { useFn, useMutation } from "../src/index.ts";
import { FakeFetch, freshClient } from "./fakes.ts";

let network: FakeFetch;

beforeEach(() => {
  freshClient();
  network = new FakeFetch();
});

afterEach(() => {
  cleanup();
  network.restore();
});

test("a call is loading, then has its data; its functions stay the same", async () => {
  const { result } = renderHook(() => useMutation<{ n: number }, number>("double"), { wrapper: StrictMode });
  const { mutate, reset } = result.current;
  expect(result.current).toMatchObject({ loading: false, data: null, error: null });

  let called: Promise<number> | undefined;
  act(() => void (called = result.current.mutate({ n: 2 })));
  expect(result.current.loading).toBe(true);
  network.last.answer(4);

  await waitFor(() => expect(result.current).toMatchObject({ loading: false, data: 4, error: null }));
  expect(await called).toBe(4);
  expect(result.current).toMatchObject({ mutate, mutateAsync: mutate, reset });
});

test("a failure shows the server's message, rejects, and ends the loading", async () => {
  const { result } = renderHook(() => useMutation("f"));
  let failure: unknown;
  act(() => void result.current.mutateAsync({}).catch((error: unknown) => (failure = error)));
  network.last.answer({ error: { code: "NO", message: "not today" } }, 400);

  await waitFor(() => expect(result.current.loading).toBe(false));

  expect(result.current.error?.message).toBe("not today");
  expect(failure).toBe(result.current.error);
  act(() => result.current.reset());
  expect(result.current).toMatchObject({ loading: false, data: null, error: null });
});

test("of two calls the later one is shown, whichever ends first", async () => {
  const { result } = renderHook(() => useMutation("f"));
  act(() => {
    void result.current.mutate({ n: 1 });
    void result.current.mutate({ n: 2 });
  });
  network.seen[1]?.answer("later");
  await waitFor(() => expect(result.current.data).toBe("later"));
  await act(async () => network.seen[0]?.answer("earlier"));

  expect(result.current).toMatchObject({ loading: false, data: "later" });
});

test("the call goes on when the component goes", async () => {
  const { result, unmount } = renderHook(() => useMutation("f"));
  let called: Promise<unknown> | undefined;
  act(() => void (called = result.current.mutate({})));
  unmount();
  network.last.answer(1);

  expect(await called).toBe(1);
  expect(network.last.signal?.aborted ?? false).toBe(false);
});

test("useFn calls without arguments too", async () => {
  const { result } = renderHook(() => useFn<number>("now"));
  act(() => void result.current.call());
  expect(network.last.body).toEqual({});
  network.last.answer(7);

  await waitFor(() => expect(result.current.data).toBe(7));
});
