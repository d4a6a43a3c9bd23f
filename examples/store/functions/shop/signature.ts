/** How the payment provider and the shop know each other: by signatures with a secret that both have. */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Env } from "@pylonsync/functions";

/** HMAC-SHA256 in hexadecimal. */
export function signature(key: string, of: string | Uint8Array): string {
  return createHmac("sha256", key).update(of).digest("hex");
}

/** Compares in a time that does not tell how much of it was right. */
export function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Without its secrets a shop must not go on: an empty key signs for everybody. */
export function secret(env: Env, name: string): string {
  const value = env[name];
  if (!value) throw new Error(`${name} is not set; \`make store\` writes one into .env`);
  return value;
}
