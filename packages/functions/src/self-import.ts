/**
 * Lets function files import this package without installing it: the copy beside the runtime answers for its
 * names, unless the app has its own.
 */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as functions from "./index";

const NAMES = ["@pylonsync/functions", "@pylon/functions"];

/** Call before the first function file is imported. */
export function provideThisPackage(functionsDirectory: string): void {
  Bun.plugin({
    name: "pylon-functions",
    setup(build) {
      for (const name of NAMES) {
        if (isInstalled(name, resolve(functionsDirectory))) continue;
        build.module(name, () => ({ exports: { ...functions }, loader: "object" }));
      }
    },
  });
}

// Looked up by hand because asking Bun's resolver for an absent package makes it ask the network.
function isInstalled(name: string, directory: string): boolean {
  if (existsSync(join(directory, "node_modules", name, "package.json"))) return true;
  const parent = dirname(directory);
  return parent !== directory && isInstalled(name, parent);
}
