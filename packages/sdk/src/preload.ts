/**
 * Runs before an app's entry file when `pylon` builds the manifest, and never otherwise.
 *
 * It lets the entry import this package without installing it, and at the end writes down, in the file that
 * `PYLON_ENTRY_REPORT` names, which manifests were built and from which modules: so it does not matter what else the
 * entry printed.
 */

import { existsSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join, sep } from "node:path";
import { LISTENER } from "./build";
import * as sdk from "./index";
import type { AppManifest } from "./manifest";

const NAMES = ["@pylonsync/sdk", "@pylon/sdk"];
const REPORT = "PYLON_ENTRY_REPORT";

function provideThisPackage(directory: string): void {
  Bun.plugin({
    name: "pylon-sdk",
    setup(build) {
      for (const name of NAMES) {
        if (isInstalled(name, directory)) continue;
        build.module(name, () => ({ exports: { ...sdk }, loader: "object" }));
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

function reportAtExit(file: string): void {
  const built: AppManifest[] = [];
  Object.assign(globalThis, { [LISTENER]: (manifest: AppManifest) => built.push(manifest) });
  process.on("exit", () => writeFileSync(file, JSON.stringify({ built, modules: modulesOfTheApp() })));
}

function modulesOfTheApp(): string[] {
  return Object.keys(require.cache).filter(
    (path) => isAbsolute(path) && !path.startsWith(import.meta.dir + sep) && !path.includes(`${sep}node_modules${sep}`),
  );
}

const report = process.env[REPORT];
if (report !== undefined) {
  delete process.env[REPORT];
  reportAtExit(report);
}
provideThisPackage(dirname(Bun.main));
