/** Where a todo goes: a number between those of its neighbours, so that moving one changes no other. */

export interface Placed {
  readonly id: string;
  readonly position: number;
}

/** Above all others. */
export function topPosition(todos: readonly Placed[]): number {
  return (todos[0]?.position ?? 0) - 1;
}

/**
 * The new positions when the todo at index `from` goes to `to`, by id. It is one, unless no number is left between the
 * neighbours, or two people put a todo in the same place: then all are placed anew.
 */
export function moved(todos: readonly Placed[], from: number, to: number): Map<string, number> {
  const order = todos.toSpliced(from, 1).toSpliced(to, 0, ...todos.slice(from, from + 1));
  const target = order[to];
  if (target === undefined || from === to) return new Map();
  const above = order[to - 1]?.position ?? (order[to + 1]?.position ?? 0) - 2;
  const below = order[to + 1]?.position ?? above + 2;
  const middle = (above + below) / 2;
  if (above < middle && middle < below) return new Map([[target.id, middle]]);
  return new Map(order.map(({ id }, index) => [id, index]));
}
