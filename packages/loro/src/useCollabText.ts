/** A text field that several people edit at once. */

import { useCallback } from "react";
import { getLoroText } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { useLoroDoc } from "./useLoroDoc.ts";

/** Above this many characters, what changed is looked for by line: by character it would take too long to type. */
const CHARACTER_DIFF_MAX = 50_000;

/** The text, and the way to set it: only what differs is edited, so that others' edits and cursors stay in place. */
export function useCollabText(entity: string, id: string, field: string): [string, (next: string) => void] {
  const doc = useLoroDoc(entity, id);
  const setText = useCallback(
    (next: string) => {
      const current = globalRegistry.doc(entity, id);
      const text = getLoroText(current, field);
      if (next.length > CHARACTER_DIFF_MAX) text.updateByLine(next);
      else text.update(next);
      current.commit();
    },
    [entity, id, field],
  );
  return [getLoroText(doc, field).toString(), setText];
}
