/** A textarea (or an input) for a text that several people edit at once: everybody's cursor stays where it was. */

import { db } from "@pylonsync/react";
import type { Cursor } from "loro-crdt";
import { type ChangeEvent, type RefObject, useCallback, useLayoutEffect, useMemo, useRef } from "react";
import { getLoroText } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { applyTextChange, textChange } from "./text.ts";
import { useCollabStatus } from "./useCollabStatus.ts";
import { useLoroDoc } from "./useLoroDoc.ts";

type TextBox = HTMLTextAreaElement | HTMLInputElement;

/** For the element: `<textarea {...useCollabTextarea("Note", id, "body")} />`. */
export interface CollabTextarea<E extends TextBox = HTMLTextAreaElement> {
  ref: RefObject<E | null>;
  value: string;
  /** The document has not come yet: what the row says is shown, and cannot be edited. */
  readOnly: boolean;
  onChange: (event: ChangeEvent<E>) => void;
  onSelect: () => void;
}

export function useCollabTextarea<E extends TextBox = HTMLTextAreaElement>(
  entity: string,
  id: string,
  field: string,
): CollabTextarea<E> {
  const doc = useLoroDoc(entity, id);
  const { loaded } = useCollabStatus(entity, id);
  const { data: row } = db.useQueryOne(entity, id);
  const ref = useRef<E>(null);
  const selection = useRef<(Cursor | undefined)[]>([]);
  const text = getLoroText(doc, field).toString();
  const rowText = row?.[field];
  // A row that was just made here has no document anywhere yet: its first edit begins it.
  const isMissing = !loaded && doc.opCount() === 0 && typeof rowText === "string" && rowText !== "";

  const shown = useRef(text);
  useLayoutEffect(() => void (shown.current = text), [text]);

  // Setting the value of an element puts the cursor at its end.
  useLayoutEffect(() => {
    const [start, end] = selection.current.map((cursor) => cursor && doc.getCursorPos(cursor)?.offset);
    if (start !== undefined && end !== undefined) ref.current?.setSelectionRange(start, end);
  }, [doc, text]);

  const onSelect = useCallback(() => {
    if (ref.current === null) return;
    const { selectionStart, selectionEnd } = ref.current;
    const here = getLoroText(globalRegistry.doc(entity, id), field);
    selection.current = [selectionStart, selectionEnd].map((offset) => here.getCursor(offset ?? 0));
  }, [entity, id, field]);

  const onChange = useCallback(
    ({ target: { value, selectionEnd } }: ChangeEvent<E>) => {
      const change = textChange(shown.current, value, selectionEnd ?? value.length);
      applyTextChange(globalRegistry.doc(entity, id), field, change);
      onSelect();
    },
    [entity, id, field, onSelect],
  );

  const value = isMissing ? rowText : text;
  return useMemo(() => ({ ref, value, readOnly: isMissing, onChange, onSelect }), [value, isMissing, onChange, onSelect]);
}
