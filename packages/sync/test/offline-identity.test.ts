/** Whose it is that outlives a reload: another identity neither sees nor sends it. */

import { describe, expect, test } from "bun:test";

import type { SyncEngine } from "../src/engine.ts";
import { offline, reload, titles, world } from "./reloading.ts";
import { calm, World } from "./world.ts";

describe("another identity", () => {
  async function alicesDevice(): Promise<{ here: World; engine: SyncEngine }> {
    const here = world();
    here.storage.set("pylon_token", "alice's");
    here.commit("insert", "a", { title: "Alice's row" });
    const engine = await here.live({ token: undefined });
    here.next("/api/sync/push", { status: 503 });
    await engine.insert("Note", { title: "Alice's unsent" });
    await calm();
    return { here, engine };
  }

  /** As whom the server answers, and what it lets them read. */
  function become(here: World, token: string | null, user_id: string | null): void {
    if (token === null) here.storage.remove("pylon_token");
    else here.storage.set("pylon_token", token);
    here.session = { user_id, tenant_id: null, is_admin: false, roles: [] };
    here.routes.set("/api/sync/pull", () => ({ body: { changes: [], cursor: { last_seq: 1 }, has_more: false } }));
  }

  test.each([
    ["another user", "bob's", "bob"],
    ["nobody", null, null],
    ["a guest who became a user", "upgraded", "alice-upgraded"],
  ])("%s, while it runs, sees and sends nothing of the one before", async (_, token, user) => {
    const { here, engine } = await alicesDevice();

    become(here, token, user);
    await engine.pull();
    await engine.push();
    await calm();

    expect(titles(engine)).toEqual([]);
    expect(engine.mutations.pending()).toEqual([]);
    expect(here.changes).toHaveLength(1);
  });

  test.each([
    ["online", false],
    ["offline", true],
  ])("after a reload %s sees and sends nothing of the one before", async (_, isOffline) => {
    const { here, engine } = await alicesDevice();
    become(here, "bob's", "bob");
    if (isOffline) offline(here);

    const next = await reload(here, engine, { token: undefined });
    await next.push();

    expect(titles(next)).toEqual([]);
    expect(next.mutations.pending()).toEqual([]);
    expect(here.changes).toHaveLength(1);
  });

  test("whom nobody has named yet leaves nothing where the one before could see it", async () => {
    const { here, engine } = await alicesDevice();
    here.storage.set("pylon_token", "bob's");
    here.routes.set("/api/auth/me", () => ({ status: 503 }));
    here.commit("insert", "b", { title: "Bob's row" });
    await engine.pull();
    const shown = titles(engine);

    here.storage.set("pylon_token", "alice's");
    offline(here);
    const alices = await reload(here, engine, { token: undefined });

    expect(shown).toContain("Bob's row");
    expect(titles(alices)).not.toContain("Bob's row");
  });

  test("leaves what the one before queued, for when they are back", async () => {
    const { here, engine } = await alicesDevice();
    become(here, "bob's", "bob");
    const bobs = await reload(here, engine, { token: undefined });

    become(here, "alice's new", "alice");
    const alices = await reload(here, bobs, { token: undefined });
    here.socket.open();
    await calm();

    expect(here.changes.at(-1)?.data).toEqual({ title: "Alice's unsent" });
    expect(alices.mutations.pending()).toEqual([]);
  });

  test("in another tab does not write into the replica that it took", async () => {
    const { here, engine } = await alicesDevice();
    here.session = { user_id: "bob", is_admin: false, roles: [] };
    const bobs = here.engine({ token: "bob's" });
    await bobs.start();
    await calm();

    here.sockets[0]?.receive(here.commit("insert", "b", { title: "Alice's second" }));
    await calm();
    const reloaded = await reload(here, bobs, { token: "bob's" });
    offline(here);

    expect(titles(engine)).toContain("Alice's second");
    expect(titles(await reload(here, reloaded, { token: "alice's" }))).toEqual([]);
    engine.stop();
  });

  test("in another tenant starts afresh and leaves the queue behind", async () => {
    const { here, engine } = await alicesDevice();
    here.session = { ...here.session, tenant_id: "acme" };

    await engine.notifySessionChanged();
    await engine.push();

    expect(engine.mutations.pending()).toEqual([]);
    expect(here.changes).toHaveLength(1);
  });
});

describe("without a token", () => {
  test("saved rows are shown only when the server says it is the same user, or cannot be reached", async () => {
    const here = world();
    here.commit("insert", "a", { title: "A" });
    const engine = await here.live({ token: undefined });
    const online = offline(here);
    const unreachable = await reload(here, engine, { token: undefined });
    const shownOffline = titles(unreachable);
    online();
    here.session = { ...here.session, user_id: "bob" };
    const release = here.hold("/api/auth/me");

    const bobs = await reload(here, unreachable, { token: undefined });
    const shownBeforeTheAnswer = titles(bobs);
    release();

    expect(shownOffline).toEqual(["A"]);
    expect(shownBeforeTheAnswer).toEqual([]);
  });
});
