/**
 * The containers at the root of a row's document: one for each collaborative field, named by it, and the map `row` for
 * the fields of which the last write counts.
 */

import type { LoroCounter, LoroDoc, LoroList, LoroMap, LoroMovableList, LoroText, LoroTree } from "loro-crdt";

/** Where the fields are that are no containers. */
export const ROW_MAP = "row";

export function getLoroText(doc: LoroDoc, key: string): LoroText {
  return doc.getText(key);
}

export function getLoroMap(doc: LoroDoc, key: string): LoroMap {
  return doc.getMap(key);
}

export function getLoroList(doc: LoroDoc, key: string): LoroList {
  return doc.getList(key);
}

export function getLoroMovableList(doc: LoroDoc, key: string): LoroMovableList {
  return doc.getMovableList(key);
}

export function getLoroTree(doc: LoroDoc, key: string): LoroTree {
  return doc.getTree(key);
}

export function getLoroCounter(doc: LoroDoc, key: string): LoroCounter {
  return doc.getCounter(key);
}
