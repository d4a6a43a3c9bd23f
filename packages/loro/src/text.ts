/** Editing a text as little as needed, so that others' edits and everybody's cursors stay in place. */

import type { Delta, LoroDoc } from "loro-crdt";
import { getLoroText } from "./containers.ts";

/** Above this many characters, what changed is looked for by line: by character it would take too long to type. */
const CHARACTER_DIFF_MAX = 50_000;

/** `remove` characters go at `at`, and `insert` comes in their place. Positions count UTF-16 units, as JavaScript does. */
export interface TextChange {
  at: number;
  remove?: number | undefined;
  insert?: string | undefined;
}

/**
 * What typing did to a text, from the text before and after it and where the cursor is now. What stands behind the cursor
 * was there before: without it nobody could tell which of two equal letters is the new one, and somebody else's edit
 * beside it would land on the wrong side.
 */
export function textChange(before: string, after: string, cursor: number): TextChange {
  const behind = after.length - cursor;
  const kept = before.endsWith(after.slice(cursor)) ? Math.min(behind, before.length) : 0;
  const shorter = Math.min(before.length, after.length) - kept;
  let at = 0;
  while (at < shorter && before[at] === after[at]) at += 1;
  return { at, remove: before.length - kept - at, insert: after.slice(at, after.length - kept) };
}

/** Edit the root text `field` at one place, and commit. For editors that know what the user did. */
export function applyTextChange(doc: LoroDoc, field: string, { at, remove = 0, insert = "" }: TextChange): void {
  const text = getLoroText(doc, field);
  if (remove > 0) text.delete(at, remove);
  if (insert !== "") text.insert(at, insert);
  doc.commit();
}

/** Edit the root text `field` by a delta (`[{ retain: 3 }, { insert: "x" }, { delete: 1 }]`), and commit. */
export function applyTextDelta(doc: LoroDoc, field: string, delta: Delta<string>[]): void {
  getLoroText(doc, field).applyDelta(delta);
  doc.commit();
}

/** Make the root text `field` read `next`, editing only what differs, and commit. */
export function setText(doc: LoroDoc, field: string, next: string): void {
  const text = getLoroText(doc, field);
  if (next.length > CHARACTER_DIFF_MAX) text.updateByLine(next);
  else text.update(next);
  doc.commit();
}
