/** Puts an app together. */

import { auth } from "./auth";
import { type Entity, entitiesToManifest } from "./entities";
import { type AppManifest, MANIFEST_VERSION, type ManifestAuth } from "./manifest";
import {
  actionsToManifest, policiesToManifest, queriesToManifest, type RouteDefinition, routesToManifest,
} from "./operations";
import { type Declarations, type PluginDefinition, refuseHooks } from "./plugins";
import { schedulesToManifest } from "./schedules";

export interface AppDefinition extends Declarations {
  readonly name: string;
  readonly version: string;
  readonly entities: readonly Entity[];
  readonly routes: readonly RouteDefinition[];
  readonly auth?: ManifestAuth;
  /** Their declarations come after the app's own. */
  readonly plugins?: readonly PluginDefinition[];
}

/** Where `pylon` leaves a function that is to be told of the manifest, while it runs an entry file. */
export const LISTENER = Symbol.for("pylonsync.sdk.listener");

export function buildManifest(app: AppDefinition): AppManifest {
  const plugins = app.plugins ?? [];
  plugins.forEach(refuseHooks);
  const declarers: readonly Declarations[] = [app, ...plugins];
  const schedules = schedulesToManifest(declarers.flatMap(({ schedules = [] }) => schedules));
  const manifest: AppManifest = {
    manifest_version: MANIFEST_VERSION,
    name: app.name,
    version: app.version,
    entities: entitiesToManifest(declarers.flatMap(({ entities = [] }) => entities)),
    routes: routesToManifest(declarers.flatMap(({ routes = [] }) => routes)),
    queries: queriesToManifest(declarers.flatMap(({ queries = [] }) => queries)),
    actions: actionsToManifest(declarers.flatMap(({ actions = [] }) => actions)),
    policies: policiesToManifest(declarers.flatMap(({ policies = [] }) => policies)),
    auth: app.auth ?? auth(),
    ...(schedules.length > 0 ? { schedules } : {}),
  };
  tellListener(manifest);
  return manifest;
}

function tellListener(manifest: AppManifest): void {
  const listener = (globalThis as { [LISTENER]?: (manifest: AppManifest) => void })[LISTENER];
  listener?.(manifest);
}
