/** A text field that several people edit at once. */

import { useCallback } from "react";
import { getLoroText } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { applyTextChange, setText, type TextChange } from "./text.ts";
import { useLoroDoc } from "./useLoroDoc.ts";

/**
 * The text, the way to set it, and the way to change it at one place. Setting edits only what differs, so that others'
 * edits and cursors stay in place.
 */
export function useCollabText(
  entity: string,
  id: string,
  field: string,
): [text: string, set: (next: string) => void, change: (change: TextChange) => void] {
  const doc = useLoroDoc(entity, id);
  const set = useCallback(
    (next: string) => setText(globalRegistry.doc(entity, id), field, next),
    [entity, id, field],
  );
  const change = useCallback(
    (at: TextChange) => applyTextChange(globalRegistry.doc(entity, id), field, at),
    [entity, id, field],
  );
  return [getLoroText(doc, field).toString(), set, change];
}
