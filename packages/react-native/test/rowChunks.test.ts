import { expect, test } from "bun:test";
import { RowChunks } from "../src/rowChunks.ts";

test("of a row that a crash left in two chunks, the later one counts, and the next write tidies up", () => {
  const chunks = new RowChunks();
  chunks.load("Todo", 0, [{ id: "a", n: 1 }, { id: "b", n: 1 }]);
  chunks.load("Todo", 1, [{ id: "b", n: 2 }]);

  expect(chunks.entities()).toEqual({ Todo: [{ id: "a", n: 1 }, { id: "b", n: 2 }] });
  expect(chunks.takeWrites()).toEqual([{ entity: "Todo", number: 0, text: '[{"id":"a","n":1}]' }]);
});

test("a chunk that is split is written to its new place before it goes from the old one", () => {
  const chunks = new RowChunks();
  for (const id of ["a", "b", "c"]) chunks.put("Todo", id, { id, text: "x".repeat(100_000) });

  const writes = chunks.takeWrites().map(({ number, text }) => [number, JSON.parse(text ?? "[]").map(({ id }: { id: string }) => id)]);

  expect(writes).toEqual([[1, ["b", "c"]], [0, ["a"]]]);
});

test("a chunk without rows is none", () => {
  const chunks = new RowChunks();
  chunks.load("Todo", 4, [{ id: "a" }]);
  chunks.remove("Todo", "a");
  chunks.remove("Todo", "never");
  chunks.put("Other", "x", { id: "x" });

  expect(chunks.takeWrites()).toEqual([
    { entity: "Other", number: 5, text: '[{"id":"x"}]' },
    { entity: "Todo", number: 4, text: null },
  ]);
  expect(chunks.takeWrites()).toEqual([]);
});
