/** What typing did to a text, from the text before and after it and where the cursor is now. */

import type { TextChange } from "@pylonsync/loro";

/**
 * What stands behind the cursor was there before. Without the cursor nobody could tell which of two equal letters is the
 * new one, and somebody else's edit beside it would land on the wrong side.
 */
export function textChange(before: string, after: string, cursor: number): TextChange {
  const behind = after.length - cursor;
  const kept = before.endsWith(after.slice(cursor)) ? Math.min(behind, before.length) : 0;
  const shorter = Math.min(before.length, after.length) - kept;
  let at = 0;
  while (at < shorter && before[at] === after[at]) at += 1;
  return { at, remove: before.length - kept - at, insert: after.slice(at, after.length - kept) };
}
