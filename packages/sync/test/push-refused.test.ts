/** Push requests that the server refuses as a whole: what is kept, what is given up, and what goes on. */

import { describe, expect, test } from "bun:test";

import type { ClientChange, Row } from "../src/protocol.ts";
import { HttpError } from "../src/http.ts";
import { refusalOf } from "../src/push-refusal.ts";
import { type Reply, World } from "./world.ts";

const REFUSED: Reply = { status: 400, body: { error: { code: "INVALID_JSON", message: "Invalid request body" } } };

test.each([
  [new TypeError("offline"), true, "later"],
  [new HttpError(500, "", "INTERNAL", 0), true, "later"],
  [new HttpError(429, "", "RATE_LIMITED", 1000), true, "later"],
  [new HttpError(404, "", "NOT_FOUND", 0), true, "later"],
  [new HttpError(400, "", undefined, 0), true, "later"],
  [new HttpError(403, "", undefined, 0), true, "later"],
  [new HttpError(401, "", "AUTH_REQUIRED", 0), true, "not-as-us"],
  [new HttpError(403, "", "FORBIDDEN", 0), false, "not-as-us"],
  [new HttpError(403, "", "CSRF_REJECTED", 0), true, "not-as-us"],
  [new HttpError(403, "", "FORBIDDEN", 0), true, "changes"],
  [new HttpError(400, "", "INVALID_JSON", 0), true, "changes"],
  [new HttpError(422, "", "VALIDATION_FAILED", 0), true, "changes"],
  [new HttpError(413, "", undefined, 0), true, "changes"],
] as const)("%o, signed in %p, means %s", (error, signedIn, refusal) => {
  expect(refusalOf(error, signedIn)).toBe(refusal);
});

/** Refuse every request that holds a change of one of these rows. */
function poison(world: World, ...rowIds: string[]): string[][] {
  const requests: string[][] = [];
  const usual = world.routes.get("/api/sync/push");
  world.routes.set("/api/sync/push", (body, url) => {
    const ids = (body["changes"] as ClientChange[]).map(({ row_id }) => row_id);
    requests.push(ids);
    return ids.some((id) => rowIds.includes(id)) ? REFUSED : (usual?.(body, url) ?? {});
  });
  return requests;
}

describe("a request that is refused for one change in it", () => {
  test("is halved until that one is alone, has failed and is off the screen; the rest is applied in order", async () => {
    const world = new World();
    for (const id of ["a", "b", "c", "d", "e"]) world.commit("insert", id, { n: 0 });
    const engine = await world.live();
    for (const row_id of ["a", "b", "c", "d", "e"]) {
      const change = { entity: "Note", row_id, kind: "update", data: { n: 1 } } as const;
      engine.store.applyOptimistic(engine.mutations.add(change), change);
    }
    const requests = poison(world, "c");

    await engine.push();

    expect(requests.map((ids) => ids.join(""))).toEqual(["abcde", "ab", "cde", "c", "d", "e"]);
    expect(engine.mutations.pending()).toEqual([]);
    expect(engine.mutations.failed()).toMatchObject([{ change: { row_id: "c" }, error: "Invalid request body" }]);
    expect(engine.store.list("Note").map(({ id, n }) => `${String(id)}${String(n)}`)).toEqual(["a1", "b1", "c0", "d1", "e1"]);
    expect(world.changes.slice(5).map(({ row_id }) => row_id)).toEqual(["a", "b", "d", "e"]);
  });

  test("does not make later requests small", async () => {
    const world = new World();
    const engine = await world.live();
    const requests = poison(world, "bad");
    const ids = ["bad", ...Array.from({ length: 40 }, (_, i) => `n${i}`)];
    for (const row_id of ids) engine.mutations.add({ entity: "Note", row_id, kind: "delete" });

    await engine.push();

    expect(requests.map(({ length }) => length)).toEqual([41, 20, 10, 5, 2, 1, 1, 2, 4, 8, 16, 9]);
  });

  test("is found though the network fails meanwhile", async () => {
    const world = new World();
    const engine = await world.live();
    poison(world, "bad");
    world.next("/api/sync/push", REFUSED, new TypeError("offline"));
    for (const row_id of ["a", "bad"]) engine.mutations.add({ entity: "Note", row_id, kind: "delete" });

    await engine.push();
    await world.clock.advance(1000);

    expect(engine.mutations.failed().map(({ change }) => change.row_id)).toEqual(["bad"]);
    expect(engine.mutations.pending()).toEqual([]);
  });
});

describe("a refusal of who we are", () => {
  test("keeps everything and asks who we are; signing in sends it", async () => {
    const world = new World();
    const engine = await world.live();
    world.next("/api/sync/push", { status: 401, body: { error: { code: "AUTH_REQUIRED", message: "sign in" } } });

    await engine.update("Note", "n1", { n: 1 });
    const kept = engine.mutations.pending().length;
    const asked = world.happened();
    await engine.push();

    expect(kept).toBe(1);
    expect(asked).toEqual(["0 POST /api/sync/push", "0 GET /api/auth/me"]);
    // One looks for the event of the accepted write, one whether the connection is alive.
    expect(world.clock.timersDue).toBe(2);
    expect(world.changes).toMatchObject([{ row_id: "n1" }]);
  });

  test("of nobody keeps what nobody wrote", async () => {
    const world = new World();
    world.session = { user_id: null, is_admin: false, roles: [] };
    const engine = await world.live();
    world.next("/api/sync/push", { status: 403, body: { error: { code: "FORBIDDEN", message: "sign in" } } });

    await engine.update("Note", "n1", { n: 1 });

    expect(engine.mutations.pending()).toHaveLength(1);
    expect(engine.mutations.failed()).toEqual([]);
  });
});

test.each([
  [{ status: 429, headers: { "Retry-After": "7" } }, 7000],
  [{ status: 503, headers: { "Retry-After": "3" } }, 3000],
  [{ status: 502, body: "a proxy's page" }, 1000],
  [{ status: 403, body: "sign in to this network" }, 1000],
] as [Reply, number][])("%j is tried again after a while", async (reply, ms) => {
  const world = new World();
  const engine = await world.live();
  world.next("/api/sync/push", reply);

  await engine.update("Note", "n1", { n: 1 });
  await world.clock.advance(ms - 1);
  const before: Row[] = engine.mutations.pending().map(({ change }) => ({ id: change.row_id }));
  await world.clock.advance(1);

  expect(before).toEqual([{ id: "n1" }]);
  expect(engine.mutations.pending()).toEqual([]);
});
