/**
 * The rows of a live query: an answer taken over, or changed by a diff.
 *
 * A row that did not change stays the same object, and a list in which none did stays the same list, so that whoever
 * compares by identity sees changes only.
 */

import type { LiveDiff } from "./live-protocol.ts";
import type { Row } from "./protocol.ts";

type Rows = readonly Row[];

/** `next`, made of the objects of `before` wherever they say the same. */
export function reconciled(before: Rows, next: Rows): Rows {
  const known = new Map(before.map((row) => [row["id"], row]));
  const rows = next.map((row) => {
    const kept = known.get(row["id"]);
    return kept !== undefined && JSON.stringify(kept) === JSON.stringify(row) ? kept : row;
  });
  return sameList(before, rows) ? before : rows;
}

/** The rows after the change; null when it is not one of these rows. */
export function patched(before: Rows, { removed, placed }: Pick<LiveDiff, "removed" | "placed">): Rows | null {
  const gone = new Set<unknown>([...removed, ...placed.map(([, row]) => row["id"])]);
  const stayed = before.filter((row) => !gone.has(row["id"]));
  const rows: Row[] = [];
  let next = 0;
  for (const [index, row] of placed) {
    while (rows.length < index) {
      const kept = stayed[next++];
      if (kept === undefined) return null;
      rows.push(kept);
    }
    // Behind one that was placed at the same index or later: the indexes do not ascend.
    if (rows.length > index) return null;
    rows.push(row);
  }
  return reconciled(before, [...rows, ...stayed.slice(next)]);
}

function sameList(before: Rows, next: Rows): boolean {
  return before.length === next.length && before.every((row, i) => row === next[i]);
}
