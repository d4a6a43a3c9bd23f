/** Every builder, alias and modifier gives exactly what the manifest wants. */

import { describe, expect, test } from "bun:test";
import { entitiesToManifest, entity, field } from "../src/index";
import type { AnyField } from "../src/index";

function manifestOf(builder: AnyField) {
  return entitiesToManifest([entity("E", { f: builder })])[0]?.fields[0];
}

const PLAIN = { name: "f", optional: false, unique: false };

test.each([
  ["string", field.string(), "string"],
  ["int", field.int(), "int"],
  ["float", field.float(), "float"],
  ["number", field.number(), "float"],
  ["bool", field.bool(), "bool"],
  ["boolean", field.boolean(), "bool"],
  ["datetime", field.datetime(), "datetime"],
  ["richtext", field.richtext(), "richtext"],
  ["id of a name", field.id("User"), "id(User)"],
  ["id of an entity", field.id(entity("User", {})), "id(User)"],
] as const)("field %s", (_name, builder, type) => {
  expect(manifestOf(builder)).toEqual({ ...PLAIN, type });
});

describe("modifiers", () => {
  test("add up, in any order", () => {
    const all = { ...PLAIN, type: "string", optional: true, unique: true, crdt: "text" } as const;

    expect(manifestOf(field.string().optional().unique().crdt("text"))).toEqual(all);
    expect(manifestOf(field.string().crdt("text").unique().optional())).toEqual(all);
  });

  test("leave the builder they are called on as it was", () => {
    const original = field.int();

    original.optional();
    original.unique();
    original.crdt("counter");

    expect(original._def).toEqual({ type: "int", optional: false, unique: false });
  });

  test.each(["lww", "text", "list", "movable-list", "tree"] as const)("crdt %s is written as it is", (kind) => {
    expect(manifestOf(field.string().crdt(kind))).toEqual({ ...PLAIN, type: "string", crdt: kind });
  });

  test("without crdt there is no such key", () => {
    expect(Object.keys(manifestOf(field.richtext()) ?? {})).toEqual(["name", "type", "optional", "unique"]);
  });
});
