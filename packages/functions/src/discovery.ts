/** Which functions an app has: the modules at the top level of its functions directory. */

import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import type { FunctionEntry, FunctionKind } from "./protocol";
import type { ArgSchemas } from "./validators";

const MODULE = /\.(ts|js)$/;
const NOT_A_FUNCTION = /\.(test\.(ts|js)|d\.ts)$/;

/** What `query()`, `mutation()` and `action()` made, as seen by whoever calls it. */
export interface LoadedFunction {
  readonly kind: FunctionKind;
  readonly args: ArgSchemas | null;
  readonly handler: (ctx: unknown, args: unknown) => unknown;
}

export type Registry = ReadonlyMap<string, LoadedFunction>;

/**
 * Import every function file, in alphabetical order so that of two files with one stem the same one always
 * wins (`.ts` over `.js`). A file that fails to load is reported and left out. Throws when the directory
 * cannot be read.
 */
export async function loadFunctions(directory: string): Promise<Registry> {
  const root = resolve(directory);
  const files = readdirSync(root).filter((file) => MODULE.test(file) && !NOT_A_FUNCTION.test(file));
  const registry = new Map<string, LoadedFunction>();
  for (const file of files.sort()) {
    try {
      const loaded = asFunction((await import(resolve(root, file))).default);
      if (loaded !== null) registry.set(file.replace(MODULE, ""), loaded);
    } catch (error) {
      console.error(`Cannot load the function file ${file}:`, error);
    }
  }
  return registry;
}

export function entriesOf(registry: Registry): FunctionEntry[] {
  return Array.from(registry, ([name, fn]) => ({ name, fn_type: fn.kind, args_schema: fn.args }));
}

/** A default export as a function, or null when the file is a plain helper module. */
function asFunction(exported: unknown): LoadedFunction | null {
  if (typeof exported !== "object" || exported === null) return null;
  const { type, args, handler } = exported as { type?: unknown; args?: unknown; handler?: unknown };
  if (type !== "query" && type !== "mutation" && type !== "action") return null;
  if (typeof handler !== "function") return null;
  return { kind: type, args: (args as ArgSchemas | undefined) ?? null, handler: handler as LoadedFunction["handler"] };
}
