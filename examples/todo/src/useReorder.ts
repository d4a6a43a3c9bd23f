/** Moving the items of a list: dragged by a handle with mouse, pen or finger, or with the arrow keys on it. */

import { type KeyboardEvent, type PointerEvent, type RefObject, useLayoutEffect, useRef, useState } from "react";

interface Drag {
  readonly id: string;
  /** Where it would go if it were let go now. */
  readonly to: number;
}

export interface Reorder<T> {
  /** The items as they would be. */
  readonly shown: readonly T[];
  readonly draggedId: string | null;
  /** For the element whose children the items are. */
  readonly listProps: {
    ref: RefObject<HTMLUListElement | null>;
    onPointerMove: (event: PointerEvent) => void;
    onPointerUp: () => void;
    onPointerCancel: () => void;
  };
  /** For the handle in each item. */
  readonly handleProps: (id: string) => {
    "data-handle": string;
    onPointerDown: (event: PointerEvent) => void;
    onKeyDown: (event: KeyboardEvent) => void;
  };
}

export function useReorder<T extends { readonly id: string }>(
  items: readonly T[],
  move: (from: number, to: number) => void,
): Reorder<T> {
  const list = useRef<HTMLUListElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const refocus = useRef<string | null>(null);
  const indexOf = (id: string): number => items.findIndex((item) => item.id === id);
  const from = drag === null ? -1 : indexOf(drag.id);
  const shown = drag === null || from < 0 ? items : items.toSpliced(from, 1).toSpliced(drag.to, 0, ...items.slice(from, from + 1));

  // An element that moves in the document loses the focus.
  useLayoutEffect(() => {
    if (refocus.current === null) return;
    list.current?.querySelector<HTMLElement>(`[data-handle="${refocus.current}"]`)?.focus();
    refocus.current = null;
  }, [items]);

  function drop(): void {
    if (drag !== null && from >= 0 && drag.to !== from) move(from, drag.to);
    setDrag(null);
  }

  return {
    shown,
    draggedId: drag?.id ?? null,
    listProps: {
      ref: list,
      onPointerMove(event) {
        if (drag === null) return;
        const others = shown.map((item, index) => ({ item, index })).filter(({ item }) => item.id !== drag.id);
        const above = others.filter(({ index }) => middleOf(list.current?.children[index]) < event.clientY);
        setDrag({ id: drag.id, to: above.length });
      },
      onPointerUp: drop,
      onPointerCancel: () => setDrag(null),
    },
    handleProps: (id) => ({
      "data-handle": id,
      onPointerDown(event) {
        // By the list, which stays where it is while its items move.
        list.current?.setPointerCapture(event.pointerId);
        setDrag({ id, to: indexOf(id) });
      },
      onKeyDown(event) {
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        const at = indexOf(id);
        if (step === undefined || items[at + step] === undefined) return;
        event.preventDefault();
        refocus.current = id;
        move(at, at + step);
      },
    }),
  };
}

function middleOf(element: Element | undefined): number {
  const box = element?.getBoundingClientRect();
  return box === undefined ? 0 : box.top + box.height / 2;
}
