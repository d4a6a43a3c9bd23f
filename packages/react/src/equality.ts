/** Whether JSON values say the same, and keeping an old one that does so that references stay stable. */

export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, at) => sameJson(item, b[at]));
  }
  const members = Object.entries(a);
  const others = new Map(Object.entries(b));
  if (members.length !== others.size) return false;
  return members.every(([name, value]) => others.has(name) && sameJson(value, others.get(name)));
}

/** `next`, with every row that did not change being the very object it was; `previous` itself if none did. */
export function keepRows<T extends { id?: unknown }>(previous: readonly T[], next: readonly T[]): readonly T[] {
  const byId = new Map(previous.map((row) => [row.id, row]));
  const kept = next.map((row) => {
    const before = byId.get(row.id);
    return before !== undefined && sameJson(before, row) ? before : row;
  });
  const unchanged = kept.length === previous.length && kept.every((row, at) => row === previous[at]);
  return unchanged ? previous : kept;
}

/** A text that is equal for values that say the same, a missing member and an undefined one apart. */
export function keyOf(value: unknown): string {
  const visible = (_name: string, member: unknown): unknown => (member === undefined ? { $undefined: true } : member);
  return JSON.stringify(value, visible);
}
