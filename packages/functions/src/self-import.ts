/**
 * Lets function files import pylon's packages without installing them: the copies that came with the runtime answer
 * for their names, unless the app has its own.
 */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as functions from "./index";

const FUNCTIONS = ["@pylonsync/functions", "@pylon/functions"];

interface Companion {
  readonly names: readonly string[];
  /** Where it is, from here: as it is installed with the server, and in a folder of packages. */
  readonly copies: readonly string[];
}

const COMPANIONS: readonly Companion[] = [
  {
    names: ["@pylonsync/workflows", "@pylon/workflows"],
    copies: ["workflows/index.ts", "../../workflows/src/index.ts"],
  },
  {
    names: ["@pylonsync/sdk", "@pylon/sdk"],
    copies: ["../../pylon_runtime/sdk/index.ts", "../../sdk/src/index.ts"],
  },
];

/** Call before the first function file is imported. `parts` are more exports of this package, by what follows its name. */
export function providePackages(functionsDirectory: string, parts: { readonly [path: string]: object } = {}): void {
  const directory = resolve(functionsDirectory);
  Bun.plugin({
    name: "pylon-functions",
    setup(build) {
      for (const name of absent(FUNCTIONS, directory)) {
        for (const [path, part] of Object.entries({ "": functions, ...parts })) {
          build.module(name + path, () => ({ exports: { ...part }, loader: "object" }));
        }
      }
      for (const { names, copies } of COMPANIONS) {
        const copy = copies.map((path) => join(import.meta.dir, path)).find(existsSync);
        if (copy === undefined) continue;
        for (const name of absent(names, directory)) {
          build.module(name, async () => ({ exports: { ...(await import(copy)) }, loader: "object" }));
        }
      }
    },
  });
}

function absent(names: readonly string[], directory: string): readonly string[] {
  return names.filter((name) => !isInstalled(name, directory));
}

// Looked up by hand because asking Bun's resolver for an absent package makes it ask the network.
function isInstalled(name: string, directory: string): boolean {
  if (existsSync(join(directory, "node_modules", name, "package.json"))) return true;
  const parent = dirname(directory);
  return parent !== directory && isInstalled(name, parent);
}
