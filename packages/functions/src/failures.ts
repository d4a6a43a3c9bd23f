/** What a caller is told of what a handler threw. Anything may be thrown, so nothing of it is trusted to be readable. */

import { codedError } from "./rpc";
import type { CodedError } from "./types";

/** What the server passes on of an error's code; any other is no code. */
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
const MESSAGE_CHARACTERS_MAX = 4_000;

/** Codes that Bun itself gives to errors: of modules, URLs, arguments. */
const RUNTIME_CODE = /^(ERR_|MODULE_NOT_FOUND$)/;

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/**
 * What was thrown for the caller to see, or null. Errors of the system (a file, a socket) and of Bun have codes too,
 * but those tell of paths and addresses and stay inside.
 */
export function publicFailure(thrown: unknown): Failure | null {
  try {
    if (typeof thrown !== "object" || thrown === null) return null;
    if ("errno" in thrown || "syscall" in thrown) return null;
    const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
    if (typeof code !== "string" || !CODE.test(code) || RUNTIME_CODE.test(code)) return null;
    return { code, message: typeof message === "string" && message !== "" ? bounded(message) : "Handler error" };
  } catch {
    return null; // a getter or a trap of its own
  }
}

/** `ctx.error`. */
export function errorFor(code: string, message: string): CodedError {
  if (CODE.test(code)) return codedError(code, message);
  const rule = "upper-case letters, digits and underscores, a letter first, at most 64";
  throw new TypeError(`ctx.error: ${JSON.stringify(code)} is no code (${rule})`);
}

/** For the log, whatever it is. */
export function report(words: string, thrown: unknown): void {
  try {
    console.error(words, thrown);
  } catch {
    console.error(words, "what cannot be shown");
  }
}

function bounded(message: string): string {
  return message.length > MESSAGE_CHARACTERS_MAX ? `${message.slice(0, MESSAGE_CHARACTERS_MAX - 1)}…` : message;
}
