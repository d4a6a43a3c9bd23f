/** Keeps the cursor, or what is selected, at its place in a text that others edit as well. */

import { getLoroText } from "@pylonsync/loro";
import type { Cursor, LoroDoc } from "loro-crdt";
import { type RefObject, useLayoutEffect, useRef } from "react";

/** Returns what to call whenever the user moved the cursor or edited the text. */
export function useSteadySelection(
  box: RefObject<HTMLTextAreaElement | null>,
  doc: LoroDoc,
  field: string,
  text: string,
): () => void {
  const ends = useRef<(Cursor | undefined)[]>([]);

  // Setting the value of a textarea puts the cursor at its end.
  useLayoutEffect(() => {
    const [start, end] = ends.current.map((cursor) => cursor && doc.getCursorPos(cursor)?.offset);
    if (start !== undefined && end !== undefined) box.current?.setSelectionRange(start, end);
  }, [box, doc, text]);

  return () => {
    if (box.current === null) return;
    const { selectionStart, selectionEnd } = box.current;
    ends.current = [selectionStart, selectionEnd].map((offset) => getLoroText(doc, field).getCursor(offset));
  };
}
