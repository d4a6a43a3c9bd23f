/** Moving todos: after any moves the order by position is the order a plain array would have. */

import { expect, test } from "bun:test";
import { moved, type Placed, topPosition } from "../src/position.ts";

function applied(todos: readonly Placed[], from: number, to: number): Placed[] {
  const changes = moved(todos, from, to);
  const placed = todos.map((todo) => ({ ...todo, position: changes.get(todo.id) ?? todo.position }));
  return placed.toSorted((a, b) => a.position - b.position);
}

function idsAfter(ids: readonly string[], from: number, to: number): string[] {
  return ids.toSpliced(from, 1).toSpliced(to, 0, ...ids.slice(from, from + 1));
}

const ids = (todos: readonly Placed[]): string[] => todos.map(({ id }) => id);
const five = ["a", "b", "c", "d", "e"].map((id, position) => ({ id, position }));

for (const from of [0, 2, 4]) {
  for (const to of [0, 1, 2, 3, 4]) {
    test(`from ${from} to ${to}`, () => {
      expect(ids(applied(five, from, to))).toEqual(idsAfter(ids(five), from, to));
      expect(moved(five, from, to).size).toBe(from === to ? 0 : 1);
    });
  }
}

test("moving between the same two neighbours again and again never runs out of places", () => {
  let todos: Placed[] = five;
  for (let round = 0; round < 200; round += 1) {
    const expected = idsAfter(ids(todos), 4, 1);
    todos = applied(todos, 4, 1);
    expect(ids(todos)).toEqual(expected);
  }
});

test("between two that two people put in the same place there is a place", () => {
  const same = five.map(({ id, position }) => ({ id, position: position === 1 ? 2 : position }));

  expect(ids(applied(same, 4, 2))).toEqual(["a", "b", "e", "c", "d"]);
});

test("a new todo goes above all others, and the first one anywhere", () => {
  expect(topPosition(five)).toBeLessThan(0);
  expect(topPosition([])).toBeNumber();
});
