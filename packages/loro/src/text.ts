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
