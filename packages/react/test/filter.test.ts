import { expect, test } from "bun:test";
import { matches, type RowQuery, selectRows } from "../src/filter.ts";

const row = { id: "1", n: 3, text: "Milk and honey", tags: ["a"], none: null, at: "2026-05-02T22:00:00Z" };

test.each<[string, Record<string, unknown>, boolean]>([
  ["equal", { n: 3 }, true],
  ["unequal", { n: 4 }, false],
  ["of another type", { n: "3" }, false],
  ["an array never equals a stored one", { tags: ["a"] }, false],
  ["null equals null", { none: null }, true],
  ["null is not a missing member", { missing: null }, false],
  ["$not", { n: { $not: 4 } }, true],
  ["$not of the value", { n: { $not: 3 } }, false],
  ["$not of a missing member", { missing: { $not: 3 } }, true],
  ["$gt", { n: { $gt: 2 } }, true],
  ["$gt of the same", { n: { $gt: 3 } }, false],
  ["$gte and $lt together", { n: { $gte: 3, $lt: 4 } }, true],
  ["$lte", { n: { $lte: 2 } }, false],
  ["a number and a text are in no order", { n: { $gt: "2" } }, false],
  ["null is in no order", { none: { $lte: 0 } }, false],
  ["texts are in order", { at: { $gte: "2026-05-01T00:00:00Z", $lt: "2026-06-01T00:00:00Z" } }, true],
  ["$like", { text: { $like: "and" } }, true],
  ["$like knows case", { text: { $like: "milk" } }, false],
  ["$like has no wildcards", { text: { $like: "M%" } }, false],
  ["$like of a number", { n: { $like: "3" } }, false],
  ["$in", { n: { $in: [1, 3] } }, true],
  ["$in by strict equality", { n: { $in: ["3"] } }, false],
  ["$exists", { none: { $exists: false }, n: { $exists: true } }, true],
  ["$or", { $or: [{ n: 1 }, { n: 3 }] }, true],
  ["$and", { $and: [{ n: 3 }, { n: 4 }] }, false],
  ["an unknown operator is passed over", { n: { $near: 3 } }, true],
  ["a name that every object has is no operator", { n: { toString: 3 } }, true],
  ["$order and $limit are no conditions", { $order: { n: "asc" }, $limit: 0 }, true],
])("%s", (_name, where, expected) => {
  expect(matches(row, where)).toBe(expected);
});

const rows = [
  { id: "a", group: "x", n: 2 },
  { id: "b", group: "y", n: 1 },
  { id: "c", group: "x", n: 1 },
  { id: "d", group: null, n: 10 },
];

test.each<[string, RowQuery, string]>([
  ["numbers by value", { orderBy: { n: "asc" } }, "bcad"],
  ["descending, ties in their order", { orderBy: { n: "desc" } }, "dabc"],
  ["missing last", { orderBy: { group: "asc" } }, "acbd"],
  ["missing first when descending", { orderBy: { group: "desc" } }, "dbac"],
  ["of an object the last member decides", { orderBy: { group: "asc", n: "asc" } }, "cbad"],
  ["of an array the first order decides", { orderBy: [{ group: "asc" }, { n: "asc" }] }, "cabd"],
  ["cut off after sorting", { orderBy: { n: "asc" }, limit: 2 }, "bc"],
  ["cut off after filtering", { where: { group: "x" }, limit: 1 }, "a"],
])("sorting: %s", (_name, query, expected) => {
  expect(selectRows(rows, query).map(({ id }) => id).join("")).toBe(expected);
});

test("the given rows stay as they are", () => {
  const given = [...rows];

  selectRows(given, { orderBy: { n: "desc" } });

  expect(given).toEqual(rows);
});
