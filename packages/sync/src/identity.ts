/**
 * Whose a replica and a queued write are: the names under which both are kept apart.
 *
 * A user in one tenant is one owner. Until the server has said whom a token stands for, its writes belong to the
 * token itself, of which only a fingerprint is kept: the token must not lie about in a second place.
 */

import { isRow, type ResolvedSession, sessionOf, textOrNull } from "./protocol.ts";

/** As whom a saved replica was filled, and with which token: without the server, the token tells who we are. */
export interface ReplicaOwner {
  session: ResolvedSession;
  /** Fingerprint of the token; null where there was none (a cookie, or nobody). */
  token: string | null;
}

/** The owner of writes made as `session`. */
export function sessionOwner({ userId, tenantId }: ResolvedSession): string {
  return `user:${JSON.stringify([userId, tenantId])}`;
}

/** The owner of writes made with a token that nobody has resolved yet. */
export function tokenOwner(token: string | null): string {
  return `token:${fingerprint(token) ?? ""}`;
}

/**
 * Whether what `before` queued goes over to `after`, who takes its place: nobody's writes to whoever signs in, a
 * token's to the user it turns out to stand for, and one user's to no other.
 */
export function inherits(before: string, after: string): boolean {
  if (before === tokenOwner(null) || before.startsWith("user:[null,")) return true;
  return before.startsWith("token:") && after.startsWith("user:");
}

export function sameOwner(a: ResolvedSession, b: ResolvedSession): boolean {
  return sessionOwner(a) === sessionOwner(b);
}

/** 64 bits of a token (two FNV-1a hashes with different seeds): tells tokens apart, gives none away. */
export function fingerprint(token: string | null): string | null {
  if (token === null) return null;
  return [0x811c9dc5, 0x01000193].map((seed) => fnv1a(token, seed).toString(16).padStart(8, "0")).join("");
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The owner in what was saved, or null when it is none. */
export function parseOwner(value: unknown): ReplicaOwner | null {
  if (!isRow(value) || !isRow(value["session"])) return null;
  const { userId, tenantId, isAdmin, roles } = value["session"];
  return { session: sessionOf(userId, tenantId, isAdmin, roles), token: textOrNull(value["token"]) };
}
