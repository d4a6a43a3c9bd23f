/** How much of a document somebody holds: of each replica that edited it, how many operations. Pure. */

import { decodeImportBlobMeta, type LoroDoc, type PeerID, VersionVector } from "loro-crdt";

export type Version = ReadonlyMap<PeerID, number>;

export const NOTHING: Version = new Map();

export function versionOf(doc: LoroDoc): Version {
  return doc.oplogVersion().toJSON();
}

/** What its sender holds at least: a replica's operations come in order, so whoever has one has those before. */
export function versionAtEnd(payload: Uint8Array): Version {
  return decodeImportBlobMeta(payload, false).partialEndVersionVector.toJSON();
}

export function covers(a: Version, b: Version): boolean {
  return [...b].every(([peer, count]) => (a.get(peer) ?? 0) >= count);
}

export function union(a: Version, b: Version): Version {
  const both = new Map(a);
  for (const [peer, count] of b) both.set(peer, Math.max(count, both.get(peer) ?? 0));
  return both;
}

/** The operations that whoever holds `from` lacks. */
export function exportSince(doc: LoroDoc, from: Version): Uint8Array {
  return doc.export({ mode: "update", from: new VersionVector(new Map(from)) });
}

export function encodeVersion(version: Version): Uint8Array {
  return new VersionVector(new Map(version)).encode();
}

/** Throws for what is none. */
export function decodeVersion(bytes: Uint8Array): Version {
  return VersionVector.decode(bytes).toJSON();
}
