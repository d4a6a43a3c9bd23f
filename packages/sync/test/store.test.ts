/** The merge rules of the replica, and the optimistic layer over it. */

import { describe, expect, mock, test } from "bun:test";

import type { ChangeEvent, ChangeKind, Row } from "../src/protocol.ts";
import { LocalStore, TOMBSTONES_MAX } from "../src/store.ts";

function event(seq: number, kind: ChangeKind, data?: Row, row_id = "n1", entity = "Note"): ChangeEvent {
  return { seq, kind, data, row_id, entity, timestamp: "" };
}

function storeWith(...events: ChangeEvent[]): LocalStore {
  const store = new LocalStore();
  store.applyChanges(events);
  return store;
}

describe("server events", () => {
  test("an update keeps the fields it does not name", () => {
    const store = storeWith(event(1, "insert", { a: 1, b: 1 }), event(2, "update", { b: 2 }));

    expect(store.get("Note", "n1")).toEqual({ id: "n1", a: 1, b: 2 });
  });

  test("an insert replaces the row", () => {
    const store = storeWith(event(1, "insert", { a: 1 }), event(2, "insert", { b: 2 }));

    expect(store.list("Note")).toEqual([{ id: "n1", b: 2 }]);
  });

  test("an update of an unknown row makes it", () => {
    expect(storeWith(event(1, "update", { a: 1 })).get("Note", "n1")).toEqual({ id: "n1", a: 1 });
  });

  test("the row id wins over the id in the data", () => {
    const store = storeWith(event(1, "insert", { id: "other" }), event(2, "update", { id: "third" }));

    expect(store.list("Note")).toEqual([{ id: "n1" }]);
  });

  test("a delete removes the row", () => {
    expect(storeWith(event(1, "insert", {}), event(2, "delete")).list("Note")).toEqual([]);
  });

  test.each([
    [3, false],
    [5, true],
    [7, true],
  ])("after a delete at 5 an insert at %d lands: %p", (seq, lands) => {
    const store = storeWith(event(5, "delete"), event(seq, "insert", { a: 1 }));

    expect(store.get("Note", "n1") !== null).toBe(lands);
  });

  test("entities do not see each other's tombstones", () => {
    const store = storeWith(event(5, "delete"), event(1, "insert", {}, "n1", "Task"));

    expect(store.list("Task")).toHaveLength(1);
  });

  test("clearing forgets rows and tombstones", () => {
    const store = storeWith(event(5, "delete"), event(6, "insert", {}, "n2"));

    store.clearAll();
    store.applyChange(event(1, "insert", { a: 1 }));

    expect(store.list("Note")).toEqual([{ id: "n1", a: 1 }]);
  });

  test("tombstones are bounded and the oldest goes first", () => {
    const deletes = Array.from({ length: TOMBSTONES_MAX + 1 }, (_, i) => event(i + 2, "delete", undefined, `n${i}`));
    const store = storeWith(...deletes);

    store.applyChanges([event(1, "insert", {}, "n0"), event(1, "insert", {}, "n1")]);

    expect(store.list("Note")).toEqual([{ id: "n0" }]);
  });

  test("a hostile field name stays a field", () => {
    const store = storeWith(event(1, "insert", JSON.parse('{"__proto__": {"admin": true}}')));

    expect(store.get("Note", "n1")?.["admin"]).toBeUndefined();
    expect(({} as Row)["admin"]).toBeUndefined();
  });
});

describe("listeners", () => {
  test("hear a batch once, and nothing after they left", () => {
    const store = new LocalStore();
    const listener = mock(() => undefined);
    const stop = store.subscribe(listener);

    store.applyChanges([event(1, "insert", {}), event(2, "update", { a: 1 })]);
    stop();
    store.applyChanges([event(3, "delete")]);

    expect(listener).toHaveBeenCalledTimes(1);
  });

  test("of an entity hear only that entity", () => {
    const store = new LocalStore();
    const notes = mock(() => undefined);
    const tasks = mock(() => undefined);
    store.subscribeEntity("Note", notes);
    store.subscribeEntity("Task", tasks);

    store.applyChanges([event(1, "insert", {})]);

    expect(notes).toHaveBeenCalledTimes(1);
    expect(tasks).not.toHaveBeenCalled();
  });

  test("are not told by applyChange", () => {
    const store = new LocalStore();
    const listener = mock(() => undefined);
    store.subscribe(listener);

    store.applyChange(event(1, "insert", {}));

    expect(listener).not.toHaveBeenCalled();
  });
});

describe("optimistic changes", () => {
  test("lie over the server's row and come off again", () => {
    const store = storeWith(event(1, "insert", { a: 1, b: 1 }));

    store.applyOptimistic("op1", { entity: "Note", row_id: "n1", kind: "update", data: { a: 2 } });
    const during = store.get("Note", "n1");
    store.discard(["op1"]);

    expect(during).toEqual({ id: "n1", a: 2, b: 1 });
    expect(store.get("Note", "n1")).toEqual({ id: "n1", a: 1, b: 1 });
  });

  test("show the server's later changes of other fields", () => {
    const store = storeWith(event(1, "insert", { a: 1, b: 1 }));

    store.applyOptimistic("op1", { entity: "Note", row_id: "n1", kind: "update", data: { a: 2 } });
    store.applyChanges([event(2, "update", { b: 9 })]);

    expect(store.get("Note", "n1")).toEqual({ id: "n1", a: 2, b: 9 });
  });

  test("of a refused insert take its later updates with them", () => {
    const store = new LocalStore();
    store.applyOptimistic("op1", { entity: "Note", row_id: "x", kind: "insert", data: { a: 1 } });
    store.applyOptimistic("op2", { entity: "Note", row_id: "x", kind: "update", data: { a: 2 } });

    store.discard(["op1"]);

    expect(store.list("Note")).toEqual([]);
  });

  test("an insert gives way to the server's row without a second one", () => {
    const store = new LocalStore();
    store.applyOptimistic("op1", { entity: "Note", row_id: "x", kind: "insert", data: { a: 1 } });

    store.applyChanges([event(1, "insert", { a: 1, stamped: true }, "x")]);

    expect(store.list("Note")).toEqual([{ id: "x", a: 1, stamped: true }]);
  });

  test("a delete hides the row from older and newer events until it is settled", () => {
    const store = storeWith(event(4, "insert", { a: 1 }));
    store.applyOptimistic("op1", { entity: "Note", row_id: "n1", kind: "delete" });

    store.applyChanges([event(5, "insert", { a: 2 })]);
    const hidden = store.list("Note");
    store.discard(["op1"]);

    expect(hidden).toEqual([]);
    expect(store.list("Note")).toEqual([{ id: "n1", a: 2 }]);
  });

  test("once acknowledged go when the server's row shows them", () => {
    const change = { entity: "Note", row_id: "n1", kind: "update", data: { a: 2 } } as const;
    const store = storeWith(event(1, "insert", { a: 1 }));
    store.applyOptimistic("op1", change);

    store.acknowledge("op1", change, 2);
    const waiting = store.acknowledged();
    store.applyChanges([event(2, "update", { a: 2 })]);

    expect(waiting).toEqual(["op1"]);
    expect(store.acknowledged()).toEqual([]);
  });

  test("two acknowledged together do not bring the first one's value back", () => {
    const store = storeWith(event(1, "insert", { a: 0 }));
    const changes = [1, 2].map((a) => ({ entity: "Note", row_id: "n1", kind: "update", data: { a } }) as const);
    changes.forEach((change, i) => store.applyOptimistic(`op${i}`, change));

    store.applyChanges([event(2, "update", { a: 1 }), event(3, "update", { a: 2 })]);
    changes.forEach((change, i) => store.acknowledge(`op${i}`, change, 3));

    expect(store.acknowledged()).toEqual([]);
    expect(store.get("Note", "n1")).toEqual({ id: "n1", a: 2 });
  });

  test("on a row by its former id are shown under the one it has now", () => {
    const store = storeWith(event(1, "insert", { a: 1 }));
    store.renamed([{ entity: "Note", temporary: "_pending_1_x", row_id: "n1" }]);

    store.applyOptimistic("op1", { entity: "Note", row_id: "_pending_1_x", kind: "update", data: { a: 2 } });

    expect(store.list("Note")).toEqual([{ id: "n1", a: 2 }]);
    expect(store.get("Note", "_pending_1_x")).toEqual({ id: "n1", a: 2 });
  });

  test("without a queue have a temporary id and stay over an older replay", () => {
    const store = storeWith(event(1, "insert", { a: 1 }));

    const id = store.optimisticInsert("Note", { a: 5 });
    store.optimisticDelete("Note", "n1");
    store.optimisticUpdate("Note", "missing", { a: 1 });
    store.applyChanges([event(1, "insert", { a: 1 })]);

    expect(id).toMatch(/^_pending_\d+_[0-9a-z]+$/);
    expect(store.list("Note")).toEqual([{ id, a: 5 }]);
  });
});

describe("the disk", () => {
  test("gets the whole merged row, and is waited for", async () => {
    const saved: ChangeEvent[] = [];
    const store = storeWith(event(1, "insert", { a: 1, b: 1 }));
    store._persistFn = async (change) => void saved.push(change);

    await store.applyChangesAsync([event(2, "update", { b: 2 }), event(3, "delete", undefined, "n9")]);

    expect(saved.map(({ kind, data }) => [kind, data])).toEqual([
      ["update", { id: "n1", a: 1, b: 2 }],
      ["delete", undefined],
    ]);
  });

  test("never gets what is only optimistic", async () => {
    const saved: ChangeEvent[] = [];
    const store = storeWith(event(1, "insert", { a: 1, b: 1 }));
    store._persistFn = async (change) => void saved.push(change);
    store.applyOptimistic("op1", { entity: "Note", row_id: "n1", kind: "update", data: { a: 99 } });

    await store.applyChangesAsync([event(2, "update", { b: 2 })]);

    expect(saved[0]?.data).toEqual({ id: "n1", a: 1, b: 2 });
  });
});
