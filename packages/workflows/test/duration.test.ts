import { expect, test } from "bun:test";
import { parseDuration } from "../src/duration";

test.each([
  ["30s", 30],
  ["5m", 300],
  ["24h", 86_400],
  ["7d", 604_800],
  ["60", 60],
  ["  10s  ", 10],
  ["0s", 0],
  [90, 90],
])("%p is %d seconds", (duration, seconds) => {
  expect(parseDuration(duration)).toBe(seconds);
});

test.each(["abc", "1.5h", "500ms", "1 h", "2w", "", "-1s", "99999999999d"])("%p is refused", (duration) => {
  expect(() => parseDuration(duration)).toThrow(RangeError);
});
