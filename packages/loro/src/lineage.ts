/**
 * Whether two documents of one row are the same document, in two states, or two: a row that is deleted and made again has
 * another one, and so has a row whose document was lost. Two documents must not be merged, since they have no edit in
 * common: every text would be there twice. Pure.
 */

import { LoroDoc } from "loro-crdt";
import { covers, type Version, versionAtEnd, versionOf } from "./versions.ts";

/**
 * What the bytes hold, as a document of its own, when it is another one than `doc`; null when the two can be merged.
 * `given` is how much of `doc` came from the server, or is known to be there: what is only ours belongs to any document.
 * Throws for bytes that are none.
 */
export function anotherDocument(doc: LoroDoc, given: Version, bytes: Uint8Array): LoroDoc | null {
  const version = versionAtEnd(bytes);
  if (version.size === 0 || covers(version, versionOf(doc))) return null;
  const other = new LoroDoc();
  other.import(bytes);
  const [here, there] = [nameOf(doc), nameOf(other)];
  if (here !== undefined && there !== undefined) return here === there ? null : other;
  // Before documents had names: one replica at least has edited both states, as a server writes with one of its own.
  const isSame = given.size === 0 || [...given.keys()].some((peer) => version.has(peer));
  return isSame ? null : other;
}

/** What the server calls the document. */
function nameOf(doc: LoroDoc): unknown {
  return doc.getByPath("_pylon/document");
}
