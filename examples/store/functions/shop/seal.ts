/**
 * Everybody may call every function of an app over HTTP, and those that a workflow or webhook runs are called as
 * nobody. So a function that only the shop's own code is to run asks for a *seal*: a signature, with the shop's
 * secret, of its name and of what it is to act on. It is good for that one function and that one thing.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { CodedError, Env } from "@pylonsync/functions";

interface Sealed {
  readonly env: Env;
  error(code: string, message: string): CodedError;
}

export function sealOf(env: Env, fn: string, subject: string): string {
  return signature(secret(env, "STORE_SECRET"), `${fn}:${subject}`);
}

/** Throws unless the seal is one of ours. */
export function checkSeal(ctx: Sealed, fn: string, subject: string, seal: string): void {
  if (!isSame(sealOf(ctx.env, fn, subject), seal)) {
    throw ctx.error("NOT_FOR_YOU", "Only the shop itself does this.");
  }
}

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
