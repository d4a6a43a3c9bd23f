/** What keeps a function file from being used, told to its author: where it went wrong, as exactly as Bun says. */

import { readFileSync } from "node:fs";
import { dirname, sep } from "node:path";
import type { FileProblem } from "./protocol";

interface Place {
  /** Absolute. */
  readonly file: string;
  readonly line: number | null;
}

/** Of what importing a file threw. `file` is its name, `root` the absolute path of the functions folder. */
export function problemOf(thrown: unknown, file: string, root: string): FileProblem {
  const error = thrown instanceof AggregateError && thrown.errors.length > 0 ? (thrown.errors[0] as unknown) : thrown;
  const app = dirname(root) + sep;
  const message = messageOf(error).replaceAll(app, "");
  const place = placeOf(error, root + sep + file, app);
  if (place === null) return { file, line: null, message };
  if (place.file.startsWith(root + sep)) return { file: place.file.slice(root.length + 1), line: place.line, message };
  // The host reads file names as of this folder: what lies outside of it is told of in words.
  const where = place.file.replace(app, "") + (place.line === null ? "" : `:${place.line}`);
  return { file, line: null, message: `${message} (${where})` };
}

function messageOf(error: unknown): string {
  if (error instanceof ResolveMessage) return error.message;
  if (error instanceof BuildMessage) return `SyntaxError: ${error.message}`;
  if (error instanceof Error) return error.message === "" ? error.name : `${error.name}: ${error.message}`;
  return `It threw ${Bun.inspect(error)}`;
}

function placeOf(error: unknown, path: string, app: string): Place | null {
  if (error instanceof ResolveMessage) {
    return { file: error.referrer, line: lineWith(error.referrer, new RegExp(`["']${RegExp.escape(error.specifier)}["']`)) };
  }
  if (error instanceof BuildMessage) {
    return error.position && { file: error.position.file, line: error.position.line };
  }
  if (!(error instanceof Error)) return null;
  return inStack(error.stack ?? "", app) ?? ofMissingExport(error.message, path);
}

/** The innermost frame in the app's own code. */
function inStack(stack: string, app: string): Place | null {
  for (const frame of stack.split("\n").filter((line) => line.startsWith("    at "))) {
    const start = frame.indexOf(app);
    const [, file, line] = (start < 0 ? null : /^(.+?):(\d+)(?::\d+)?\)?$/.exec(frame.slice(start))) ?? [];
    if (file !== undefined && !file.includes(`${sep}node_modules${sep}`)) return { file, line: Number(line) };
  }
  return null;
}

/** Bun tells of an import that the other module does not export without saying where it stands. */
function ofMissingExport(message: string, path: string): Place | null {
  const name = /^Export named '([^']+)' not found/.exec(message)?.[1];
  return name === undefined ? null : { file: path, line: lineWith(path, new RegExp(`(?<![\\w$])${RegExp.escape(name)}(?![\\w$])`)) };
}

function lineWith(path: string, text: RegExp): number | null {
  try {
    const line = readFileSync(path, "utf8").split("\n").findIndex((line) => text.test(line));
    return line < 0 ? null : line + 1;
  } catch {
    return null; // it was removed meanwhile
  }
}
