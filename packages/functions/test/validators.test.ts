import { describe, expect, test } from "bun:test";
import { argumentProblems, type ArgSchemas, v } from "../src/validators";

function problems(args: ArgSchemas, value: unknown): string {
  return argumentProblems(args, value).join("; ");
}

test("validators are plain JSON", () => {
  const all = {
    s: v.string(),
    dt: v.datetime(),
    rich: v.richtext(),
    n: v.number(),
    f: v.float(),
    i: v.int(),
    b: v.boolean(),
    bo: v.bool(),
    id: v.id("Lot"),
    nul: v.null(),
    a: v.array(v.int()),
    o: v.object({ x: v.string() }),
    u: v.union(v.string(), v.null()),
    l: v.literal("a"),
    any: v.any(),
    opt: v.optional(v.id("Lot")),
  };

  expect(JSON.parse(JSON.stringify(all))).toEqual({
    s: { type: "string" },
    dt: { type: "string" },
    rich: { type: "string" },
    n: { type: "number" },
    f: { type: "number" },
    i: { type: "int" },
    b: { type: "boolean" },
    bo: { type: "boolean" },
    id: { type: "id", table: "Lot" },
    nul: { type: "null" },
    a: { type: "array", items: { type: "int" } },
    o: { type: "object", fields: { x: { type: "string" } } },
    u: { type: "union", variants: [{ type: "string" }, { type: "null" }] },
    l: { type: "literal", value: "a" },
    any: { type: "any" },
    opt: { type: "id", table: "Lot", optional: true },
  });
});

describe("a value that does not fit is named", () => {
  const cases: [string, ArgSchemas, unknown, string][] = [
    ["null for args", { a: v.string() }, null, "args must be an object"],
    ["a scalar for args", {}, 5, "args must be an object"],
    ["an array for args", { a: v.string() }, [], 'Missing required field "a" (type: string)'],
    ["a missing argument", { a: v.string() }, {}, 'Missing required field "a" (type: string)'],
    ["a null argument", { a: v.id("T") }, { a: null }, 'Missing required field "a" (type: id)'],
    ["a null for v.null()", { a: v.null() }, { a: null }, 'Missing required field "a" (type: null)'],
    ["a null for v.any()", { a: v.any() }, { a: null }, 'Missing required field "a" (type: any)'],
    ["an inherited name", { constructor: v.any() }, {}, 'Missing required field "constructor" (type: any)'],
    ["string", { a: v.string() }, { a: 5 }, "a: expected string, got number"],
    ["number", { a: v.number() }, { a: "5" }, "a: expected number, got string"],
    ["int of another type", { a: v.int() }, { a: true }, "a: expected number, got boolean"],
    ["int with a fraction", { a: v.int() }, { a: 1.5 }, "a: expected int, got 1.5"],
    ["boolean", { a: v.boolean() }, { a: 1 }, "a: expected boolean, got number"],
    ["id", { a: v.id("T") }, { a: 7 }, "a: expected id string, got number"],
    ["null", { a: v.array(v.null()) }, { a: [0] }, "a[0]: expected null, got number"],
    ["array", { arr: v.array(v.int()) }, { arr: {} }, "arr: expected array, got object"],
    ["array element", { arr: v.array(v.id("T")) }, { arr: ["x", 1, 2] }, "arr[1]: expected id string, got number"],
    ["object", { o: v.object({}) }, { o: [] }, "o: expected object"],
    ["object for a scalar", { o: v.object({}) }, { o: 1 }, "o: expected object"],
    ["a missing member", { o: v.object({ x: v.int() }) }, { o: {} }, "o.x: required field missing"],
    ["a null member", { o: v.object({ y: v.bool() }) }, { o: { y: null } }, "o.y: expected boolean, got object"],
    [
      "null for an optional member",
      { o: v.object({ y: v.optional(v.bool()) }) },
      { o: { y: null } },
      "o.y: expected boolean, got object",
    ],
    ["a deep path", { o: v.object({ l: v.array(v.object({ x: v.int() })) }) }, { o: { l: [{ x: "" }] } }, "o.l[0].x: expected number, got string"],
    ["literal", { k: v.literal("a") }, { k: "b" }, 'k: expected literal "a", got "b"'],
    ["union", { u: v.union(v.string(), v.number()) }, { u: true }, "u: value does not match any variant"],
    [
      "several arguments at once",
      { a: v.string(), b: v.int(), c: v.bool() },
      { a: 1, c: false },
      'a: expected string, got number; Missing required field "b" (type: int)',
    ],
  ];

  test.each(cases)("%s", (_name, args, value, expected) => {
    expect(problems(args, value)).toBe(expected);
  });
});

describe("a value that fits passes", () => {
  const cases: [string, ArgSchemas, unknown][] = [
    ["an absent optional argument", { a: v.optional(v.string()) }, {}],
    ["a null optional argument", { a: v.optional(v.null()) }, { a: null }],
    ["an absent optional member", { o: v.object({ y: v.optional(v.bool()) }) }, { o: {} }],
    ["extra arguments", { a: v.string() }, { a: "x", b: 1 }],
    ["extra members", { o: v.object({}) }, { o: { z: 1 } }],
    ["nulls inside", { a: v.array(v.union(v.null(), v.int())) }, { a: [null, 2] }],
    ["any text for a datetime", { a: v.datetime() }, { a: "tomorrow" }],
    ["a whole number for int", { a: v.int() }, { a: -3 }],
    ["a null literal inside", { o: v.object({ n: v.literal(null) }) }, { o: { n: null } }],
  ];

  test.each(cases)("%s", (_name, args, value) => {
    expect(problems(args, value)).toBe("");
  });
});
