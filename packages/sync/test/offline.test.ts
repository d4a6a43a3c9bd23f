/** What outlives a reload: the engine on IndexedDB. */

import { describe, expect, spyOn, test } from "bun:test";
import { IDBFactory } from "fake-indexeddb";

import type { ClientChange, Row } from "../src/protocol.ts";
import { offline, reload, titles, world } from "./reloading.ts";
import { Browser, calm, World } from "./world.ts";

test("rows and cursor outlive a reload, and the next pull goes on from there", async () => {
  const here = world();
  here.commit("insert", "a", { title: "A" });
  const engine = await here.live();
  here.socket.receive(here.commit("insert", "b", { title: "B" }));

  const next = await reload(here, engine);

  expect(titles(next)).toEqual(["A", "B"]);
  expect(here.happened()).toContain("0 GET /api/sync/pull?since=2");
});

test("a replica is kept also when the server said who we are before the disk was open", async () => {
  const here = world();
  here.commit("insert", "a", { title: "A" });
  const engine = here.engine();
  await engine.refreshResolvedSession();
  void engine.start();
  await calm();
  offline(here);

  const next = await reload(here, engine);

  expect(titles(next)).toEqual(["A"]);
});

test("offline, a reload shows rows and unsent writes, which are sent once and in order when the connection is back", async () => {
  const here = world();
  here.commit("insert", "a", { title: "A" });
  const engine = await here.live();
  const online = offline(here);
  const id = await engine.insert("Note", { title: "mine" });
  await engine.update("Note", id, { title: "mine, better" });
  await engine.update("Note", "a", { title: "A2" });

  const next = await reload(here, engine);
  const shown = titles(next);
  online();
  here.socket.open();
  await calm();

  expect(shown).toEqual(["A2", "mine, better"]);
  expect(here.changes.slice(1).map(({ kind, row_id }) => [kind, row_id])).toEqual([
    ["insert", id],
    ["update", id],
    ["update", "a"],
  ]);
  expect(next.mutations.pending()).toEqual([]);
});

test("a resync keeps what was not sent", async () => {
  const here = world();
  const engine = await here.live();
  here.next("/api/sync/push", { status: 403 });
  await engine.insert("Note", { title: "mine" });
  here.next("/api/sync/pull", { status: 410 });
  await engine.pull();

  const next = await reload(here, engine);
  here.socket.open();
  await calm();

  expect(titles(next)).toEqual(["mine"]);
  expect(here.changes).toHaveLength(1);
});

test("what the server deleted while the replica started anew does not come back from disk", async () => {
  const here = world();
  here.commit("insert", "gone", { title: "G" });
  const engine = await here.live();
  here.changes.length = 0;
  here.commit("insert", "kept", { title: "K" });
  here.next("/api/sync/pull", { status: 410 });
  await engine.pull();

  const next = await reload(here, engine);

  expect(titles(next)).toEqual(["K"]);
});

describe("a row that the server stored under another id", () => {
  /** Inserts get ids of the server's own, as they do from some servers. */
  function mint(here: World): void {
    here.routes.set("/api/sync/push", (body) => {
      const results = (body["changes"] as ClientChange[]).map(({ op_id, kind, row_id, data, entity }) => {
        const known = here.changes.some((event) => event.row_id === row_id);
        if (kind !== "insert" && !known) return { op_id, status: "failed", row_id, error: "no such row" };
        const id = kind === "insert" ? `server-${here.changes.length + 1}` : row_id;
        here.commit(kind, id, data, entity);
        return { op_id, status: "applied", row_id: id };
      });
      const applied = results.filter(({ status }) => status === "applied").length;
      const last_seq = here.changes.at(-1)?.seq ?? 0;
      return { body: { applied, errors: [], results, cursor: { last_seq } } };
    });
  }

  test("takes along its queued changes, what refers to it, and callers with the old id", async () => {
    const here = world();
    mint(here);
    const engine = await here.live();
    here.socket.drop();
    const online = offline(here);
    const parent = await engine.insert("Note", { title: "parent" });
    await engine.update("Note", parent, { title: "parent, better" });
    const child = await engine.insert("Note", { title: "child", parent, links: [{ to: parent }] });

    const next = await reload(here, engine);
    online();
    here.socket.open();
    await calm();
    await next.update("Note", parent, { title: "by the old id" });
    await here.clock.advance(2000, calm);

    expect(next.mutations.failed()).toEqual([]);
    expect(next.store.list("Note")).toEqual([
      { id: "server-1", title: "by the old id" },
      { id: "server-3", title: "child", parent: "server-1", links: [{ to: "server-1" }] },
    ]);
    expect(next.store.get("Note", parent)).toMatchObject({ id: "server-1" });
    expect(next.store.get("Note", child)).toMatchObject({ id: "server-3" });
  });

  test("is still found under the old id after a reload, and in another tab", async () => {
    const here = world();
    mint(here);
    const engine = await here.live();
    const other = here.engine();
    await other.start();
    here.socket.open();
    const id = await engine.insert("Note", { title: "A" });
    await here.clock.advance(2000, calm);

    const next = await reload(here, engine);

    expect(other.store.get("Note", id)).toEqual({ id: "server-1", title: "A" });
    expect(next.store.get("Note", id)).toEqual({ id: "server-1", title: "A" });
    expect(next.store.list("Note")).toHaveLength(1);
    other.stop();
  });
});

describe.each([["locks", true], ["a lease", false]])("two tabs with %s", (_, locks) => {
  test("push one at a time, and what one queued is seen by the other", async () => {
    const here = world(new Browser({ locks }));
    const [one, two] = [await here.live(), await here.live()];
    let running = 0;
    let most = 0;
    const usual = here.routes.get("/api/sync/push");
    const bodies: Row[] = [];
    here.routes.set("/api/sync/push", async (body, url) => {
      bodies.push(body);
      most = Math.max(most, (running += 1));
      await calm();
      running -= 1;
      return usual?.(body, url) ?? {};
    });

    void one.insert("Note", { title: "one" });
    void two.insert("Note", { title: "two" });
    await here.clock.advance(5000, calm);

    expect(most).toBe(1);
    expect(bodies.flatMap((body) => body["changes"])).toHaveLength(2);
    for (const tab of [one, two]) {
      expect(titles(tab).sort()).toEqual(["one", "two"]);
      expect(tab.mutations.pending()).toEqual([]);
      tab.stop();
    }
  });

  test("the second sends what the first queued and did not live to send", async () => {
    const here = world(new Browser({ locks }));
    const [one, two] = [await here.live(), await here.live()];
    here.next("/api/sync/push", { status: 503 });
    await one.insert("Note", { title: "orphan" });
    await calm();
    one.stop();
    const shown = titles(two);

    await here.clock.advance(5000, calm);

    expect(shown).toEqual(["orphan"]);
    expect(here.changes.map(({ data }) => data)).toEqual([{ title: "orphan" }]);
    two.stop();
  });
});

describe("where nothing can be saved", () => {
  test.each([
    ["the database does not open", closed, true],
    ["the database does not open, nor are there locks", closed, false],
    ["it is full", full, true],
    ["it is full, and there are no locks", full, false],
  ])("because %s, the engine works in memory and says so once", async (_, factory, locks) => {
    const warned = spyOn(console, "warn").mockImplementation(() => undefined);
    const here = world(new Browser({ locks }));
    Object.defineProperty(here.browser, "indexedDB", { value: factory() });
    here.commit("insert", "a", { title: "A" });

    const engine = await here.live();
    await engine.insert("Note", { title: "B" });
    await engine.update("Note", "a", { title: "A2" });
    here.socket.receive(here.changes[1]);
    here.socket.receive(here.changes[2]);
    await calm();

    expect(titles(engine)).toEqual(["A2", "B"]);
    expect(here.changes).toHaveLength(3);
    expect(engine.mutations.pending()).toEqual([]);
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
    engine.stop();
  });

  function closed(): Pick<IDBFactory, "open"> {
    return {
      open: () => {
        throw new DOMException("refused", "SecurityError");
      },
    };
  }

  /** A database of which every write runs out of space. */
  function full(): IDBFactory {
    const factory = new IDBFactory();
    const open = factory.open.bind(factory);
    factory.open = (...args) => {
      const request = open(...args);
      request.addEventListener("success", () => {
        const { result } = request;
        const transaction = result.transaction.bind(result);
        result.transaction = (stores, mode, options) => {
          if (mode === "readwrite") throw new DOMException("no space left", "QuotaExceededError");
          return transaction(stores, mode, options);
        };
      });
      return request;
    };
    return factory;
  }

  test("persist: false leaves no trace", async () => {
    const here = world();
    const engine = await here.live({ persist: false });
    await engine.insert("Note", { title: "A" });
    engine.stop();

    expect(await here.browser?.indexedDB.databases()).toEqual([]);
  });
});

describe("a live event that leaves a gap", () => {
  test("waits for a pull that brings what was missed", async () => {
    const here = new World();
    const engine = await here.live();
    here.commit("insert", "lost", { title: "lost" });
    const release = here.hold("/api/sync/pull");

    here.socket.receive(here.commit("insert", "b", { title: "B" }));
    await calm();
    const before = titles(engine);
    release();
    await calm();

    expect(before).toEqual([]);
    expect(titles(engine)).toEqual(["lost", "B"]);
    expect(engine.getCursor()).toEqual({ last_seq: 2 });
  });

  test("is trusted after a whole pull that began behind it, and pulls are a second apart", async () => {
    const here = new World();
    const engine = await here.live();
    here.routes.set("/api/sync/pull", () => ({ body: { changes: [], cursor: { last_seq: 0 }, has_more: false } }));
    const event = (seq: number) => ({ seq, entity: "Note", row_id: `n${seq}`, kind: "insert", data: { title: seq } });

    here.socket.receive(event(5));
    await calm();
    const first = titles(engine);
    here.socket.receive(event(9));
    here.socket.receive(event(12));
    await calm();
    const second = titles(engine);
    await here.clock.advance(1000);

    expect([first, second, titles(engine)]).toEqual([[5], [5], [5, 9, 12]]);
    expect(here.happened()).toEqual(["0 GET /api/sync/pull?since=0", "1000 GET /api/sync/pull?since=5"]);
  });
});
