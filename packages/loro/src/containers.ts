/** The containers at the root of a row's document: a text for each collaborative field, the map `row` for the rest. */

import type { LoroDoc, LoroMap, LoroText } from "loro-crdt";

export function getLoroText(doc: LoroDoc, key: string): LoroText {
  return doc.getText(key);
}

export function getLoroMap(doc: LoroDoc, key: string): LoroMap {
  return doc.getMap(key);
}
