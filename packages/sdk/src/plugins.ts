/** Pieces of an app that several apps share: `buildManifest({ plugins })` takes what they declare into the manifest. */

import type { Entity } from "./entities";
import type { ActionDefinition, PolicyDefinition, QueryDefinition, RouteDefinition } from "./operations";
import type { ScheduleDefinition } from "./schedules";

/** Everything that an app, or a plugin of it, may declare. */
export interface Declarations {
  readonly entities?: readonly Entity[];
  readonly routes?: readonly RouteDefinition[];
  readonly queries?: readonly QueryDefinition[];
  readonly actions?: readonly ActionDefinition[];
  readonly policies?: readonly PolicyDefinition[];
  readonly schedules?: readonly ScheduleDefinition[];
}

export interface PluginDefinition extends Declarations {
  readonly name: string;
  /** @deprecated Code cannot be part of a manifest; `buildManifest` refuses a plugin that has hooks. */
  readonly hooks?: Readonly<Record<string, unknown>>;
}

export function definePlugin(definition: PluginDefinition): PluginDefinition {
  return definition;
}

/** Throws when a plugin expects something to happen that would not. */
export function refuseHooks({ name, hooks = {} }: PluginDefinition): void {
  const names = Object.keys(hooks);
  if (names.length > 0) {
    throw new Error(
      `Plugin "${name}" has hooks (${names.join(", ")}), which nothing would run: a manifest holds no code. `
        + "Write a function instead, or leave the plugin out of buildManifest.",
    );
  }
}
