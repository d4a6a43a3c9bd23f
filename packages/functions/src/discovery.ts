/** Which functions an app has: the modules at the top level of its functions directory. */

import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { problemOf } from "./problems";
import type { FileProblem, FunctionEntry, FunctionKind, WorkflowEntryOptions } from "./protocol";
import type { ArgSchemas } from "./validators";

const MODULE = /\.(ts|js)$/;
const NOT_A_FUNCTION = /\.(test\.(ts|js)|d\.ts)$/;

/**
 * What `query()`, `mutation()` and `action()` made, or `workflow()` of `@pylonsync/workflows`, as seen by whoever
 * calls it. A workflow's arguments are the request for one pass.
 */
export interface LoadedFunction {
  readonly name: string;
  readonly kind: FunctionKind;
  readonly args: ArgSchemas | null;
  readonly options?: WorkflowEntryOptions;
  readonly internal: boolean;
  readonly handler: (ctx: unknown, args: unknown) => unknown;
}

export type Registry = ReadonlyMap<string, LoadedFunction>;

export interface LoadedFolder {
  readonly registry: Registry;
  /** Of files that were left out. */
  readonly problems: readonly FileProblem[];
}

/**
 * Import every function file, in alphabetical order so that of two files with one stem the same one always
 * wins (`.ts` over `.js`). A file that fails to load is reported and left out. Throws when the directory
 * cannot be read.
 */
export async function loadFunctions(directory: string): Promise<LoadedFolder> {
  const root = resolve(directory);
  const files = readdirSync(root).filter((file) => MODULE.test(file) && !NOT_A_FUNCTION.test(file));
  const registry = new Map<string, LoadedFunction>();
  const problems: FileProblem[] = [];
  for (const file of files.sort()) {
    try {
      const loaded = asFunction((await import(resolve(root, file))).default, file);
      if (loaded === null) continue;
      if (isTaken(registry, loaded)) problems.push(takenName(loaded.name, file));
      else registry.set(loaded.name, loaded);
    } catch (error) {
      console.error(`Cannot load the function file ${file}:`, error);
      problems.push(problemOf(error, file, root));
    }
  }
  return { registry, problems };
}

export function entriesOf(registry: Registry): FunctionEntry[] {
  return Array.from(registry.values(), ({ name, kind, args, options, internal }) => ({
    name,
    fn_type: kind,
    args_schema: args,
    ...(options === undefined ? {} : { options }),
    ...(internal ? { internal: true as const } : {}),
  }));
}

/** A workflow has a name of its own choosing, which must not take another function's place. */
function isTaken(registry: Registry, loaded: LoadedFunction): boolean {
  const before = registry.get(loaded.name);
  return before !== undefined && (before.kind === "workflow" || loaded.kind === "workflow");
}

function takenName(name: string, file: string): FileProblem {
  const message = `There is a function "${name}" already; left out.`;
  console.error(`${file}: ${message}`);
  return { file, line: null, message };
}

/** A default export as a function, or null when the file is a plain helper module. */
function asFunction(exported: unknown, file: string): LoadedFunction | null {
  if (typeof exported !== "object" || exported === null) return null;
  const { type, args, name, options, internal, handler } = exported as { readonly [member: string]: unknown };
  if (typeof handler !== "function") return null;
  const run = handler as LoadedFunction["handler"];
  switch (type) {
    case "query":
    case "mutation":
    case "action":
      return {
        name: file.replace(MODULE, ""),
        kind: type,
        args: (args as ArgSchemas | undefined) ?? null,
        internal: isInternal(internal),
        handler: run,
      };
    case "workflow":
      if (typeof name !== "string" || name === "") return null;
      return {
        name,
        kind: type,
        args: null,
        options: optionsOf(options, file),
        internal: isInternal((options as { readonly internal?: unknown } | undefined)?.internal),
        handler: run,
      };
    default:
      return null;
  }
}

/** Throws for what is no boolean: taken for false, the function would be open to everybody. */
function isInternal(internal: unknown): boolean {
  if (internal === undefined) return false;
  if (typeof internal !== "boolean") throw new TypeError("internal is true or false");
  return internal;
}

/** What a workflow's author said of it, as far as it makes sense. */
function optionsOf(options: unknown, file: string): WorkflowEntryOptions {
  const { description, maxRetries, stepTimeoutSecs } = (options ?? {}) as { readonly [option: string]: unknown };
  return {
    ...(typeof description === "string" ? { description } : {}),
    ...(isCount(maxRetries) ? { max_retries: maxRetries } : {}),
    ...(isCount(stepTimeoutSecs) ? { step_timeout_secs: stepTimeoutSecs } : {}),
    file,
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
