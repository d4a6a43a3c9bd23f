import { act, cleanup, renderHook } from "./dom.ts";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { useSession } from "../src/index.ts";
import { FakeFetch, fetchingEngine, freshClient } from "./fakes.ts";

let network: FakeFetch;

beforeEach(() => {
  freshClient();
  network = new FakeFetch();
});

afterEach(() => {
  cleanup();
  network.restore();
});

test("whoever is known is named in the same render", async () => {
  const sync = fetchingEngine();
  const seen: string[] = [];
  renderHook(() => {
    const { identity, userId } = useSession(sync);
    seen.push(`${identity} ${userId}`);
  });

  await act(async () => {
    network.last.answer({ user_id: "ann", is_admin: false, roles: [] });
  });

  expect(seen.at(-1)).toBe("known ann");
  expect(seen).not.toContain("known null");
});
