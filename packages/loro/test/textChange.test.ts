/** Typing becomes the edit that was meant, wherever the cursor was. */

import { expect, test } from "bun:test";
import { type TextChange, textChange } from "../src/text.ts";

const cases: [what: string, before: string, after: string, cursor: number, expected: TextChange][] = [
  ["into an empty text", "", "a", 1, { at: 0, remove: 0, insert: "a" }],
  ["at the end", "ab", "abc", 3, { at: 2, remove: 0, insert: "c" }],
  ["the first of equal letters", "aaa", "aaaa", 1, { at: 0, remove: 0, insert: "a" }],
  ["a letter removed in front of its equal", "aab", "ab", 1, { at: 1, remove: 1, insert: "" }],
  ["a selection replaced", "one two three", "one 2 three", 5, { at: 4, remove: 3, insert: "2" }],
  ["everything replaced", "abc", "xyz", 3, { at: 0, remove: 3, insert: "xyz" }],
  ["everything removed", "abc", "", 0, { at: 0, remove: 3, insert: "" }],
  ["undone, with the cursor elsewhere", "abcd", "abd", 0, { at: 2, remove: 2, insert: "d" }],
];

for (const [what, before, after, cursor, expected] of cases) {
  test(what, () => {
    const change = textChange(before, after, cursor);
    expect(change).toEqual(expected);
    const { at, remove = 0, insert = "" } = change;
    expect(before.slice(0, at) + insert + before.slice(at + remove)).toBe(after);
  });
}
