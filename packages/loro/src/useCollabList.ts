/** A list field that several people edit at once; the movable kind also keeps an item itself when it is moved. */

import type { Container, LoroDoc, LoroList, LoroMovableList } from "loro-crdt";
import { useMemo } from "react";
import { getLoroList, getLoroMovableList } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { useDocument } from "./useLoroDoc.ts";

export interface CollabList<T> {
  items: T[];
  insert: (at: number, ...items: T[]) => void;
  push: (...items: T[]) => void;
  remove: (at: number, count?: number) => void;
}

export interface CollabMovableList<T> extends CollabList<T> {
  /** Put another item in the place of one; moves of it by others apply to the new one. */
  set: (at: number, item: T) => void;
  /** Take the item at `from` and put it so that it is at `to`. */
  move: (from: number, to: number) => void;
}

/** For fields of kind `list`. Items are JSON; their type is the app's word. */
export function useCollabList<T = unknown>(entity: string, id: string, field: string): CollabList<T> {
  const { doc, version } = useDocument(entity, id);
  const edits = useMemo(() => listEdits<T>(entity, id, (current) => getLoroList(current, field)), [entity, id, field]);
  return useMemo(() => ({ items: getLoroList(doc, field).toJSON() as T[], ...edits }), [doc, version, field, edits]);
}

/** For fields of kind `movable-list`. */
export function useCollabMovableList<T = unknown>(entity: string, id: string, field: string): CollabMovableList<T> {
  const { doc, version } = useDocument(entity, id);
  const edits = useMemo(() => {
    const listOf = (current: LoroDoc): LoroMovableList => getLoroMovableList(current, field);
    return {
      ...listEdits<T>(entity, id, listOf),
      set: (at: number, item: T) => edit(entity, id, (current) => listOf(current).set(at, plain(item))),
      move: (from: number, to: number) => edit(entity, id, (current) => listOf(current).move(from, to)),
    };
  }, [entity, id, field]);
  const read = (): T[] => getLoroMovableList(doc, field).toJSON() as T[];
  return useMemo(() => ({ items: read(), ...edits }), [doc, version, field, edits]);
}

type ListEdits<T> = Omit<CollabList<T>, "items">;

function listEdits<T>(entity: string, id: string, listOf: (doc: LoroDoc) => LoroList | LoroMovableList): ListEdits<T> {
  const insert = (at: number, ...items: T[]): void =>
    edit(entity, id, (doc) => items.forEach((item, offset) => listOf(doc).insert(at + offset, plain(item))));
  return {
    insert,
    push: (...items) => insert(listOf(globalRegistry.doc(entity, id)).length, ...items),
    remove: (at, count = 1) => edit(entity, id, (doc) => listOf(doc).delete(at, count)),
  };
}

function edit(entity: string, id: string, change: (doc: LoroDoc) => void): void {
  const doc = globalRegistry.doc(entity, id);
  change(doc);
  doc.commit();
}

/** Items are JSON, and so no containers, which the type of T cannot say. */
function plain<T>(item: T): Exclude<T, Container> {
  return item as Exclude<T, Container>;
}
