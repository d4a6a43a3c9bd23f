/** A diff that says how to come from one answer to another does so, and keeps every object that it can. */

import { expect, test } from "bun:test";

import { patched, reconciled } from "../src/live-rows.ts";
import type { Row } from "../src/protocol.ts";
import { chanceFrom, pick } from "./chance.ts";

const IDS = ["a", "b", "c", "d", "e", "f"];

function someRows(chance: () => number): Row[] {
  const shuffled = IDS.map((id) => ({ id, at: chance() })).sort((x, y) => x.at - y.at);
  const chosen = shuffled.slice(0, Math.floor(chance() * (IDS.length + 1)));
  return chosen.map(({ id }) => ({ id, n: pick(chance, [1, 2]) }));
}

/** A diff as a server may make it: what cannot stay where it is, is placed; once in a while more than that. */
function diff(chance: () => number, before: readonly Row[], after: readonly Row[]): { removed: string[]; placed: [number, Row][] } {
  const target = new Map(after.map((row) => [row["id"], row]));
  const staying: Row[] = [];
  let reached = -1;
  for (const row of before) {
    const at = after.findIndex(({ id }) => id === row["id"]);
    if (at <= reached || target.get(row["id"])?.["n"] !== row["n"] || chance() < 0.1) continue;
    staying.push(row);
    reached = at;
  }
  const kept = new Set(staying.map(({ id }) => id));
  const removed = before.map(({ id }) => String(id)).filter((id) => !target.has(id));
  const placed = after.map((row, i): [number, Row] => [i, { ...row }]).filter(([, { id }]) => !kept.has(id));
  return { removed, placed };
}

test.each(Array.from({ length: 300 }, (_, seed) => seed))("after any diff the rows are the answer, seed %d", (seed) => {
  const chance = chanceFrom(seed);
  let rows: readonly Row[] = reconciled([], someRows(chance));
  for (let step = 0; step < 10; step++) {
    const after = someRows(chance);
    const change = diff(chance, rows, after);
    const next = patched(rows, change) ?? [{ id: "did not fit" }];
    const twice = patched(next, change);

    expect(next).toEqual(after);
    expect(twice).toBe(next);
    for (const row of next) {
      const before = rows.find(({ id }) => id === row["id"]);
      if (before !== undefined && before["n"] === row["n"]) expect(row).toBe(before);
    }
    rows = next;
  }
});

test("a diff of other rows does not fit", () => {
  expect(patched([{ id: "a" }], { removed: [], placed: [[3, { id: "b" }]] })).toBeNull();
  expect(patched([{ id: "a" }], { removed: [], placed: [[1, { id: "b" }], [0, { id: "c" }]] })).toBeNull();
});
