/** Functions that run by the clock. */

import type { JsonValue, ManifestSchedule, Missed } from "./manifest";

export interface ScheduleDefinition {
  readonly name: string;
  /** Five fields, `minute hour day month weekday`: `"0 3 * * *"` is daily at three. */
  readonly cron: string;
  /** An IANA name the expression is read in, `"Europe/Berlin"`; UTC when absent. */
  readonly timezone?: string;
  /** The function that is called. */
  readonly function: string;
  readonly args?: { readonly [name: string]: JsonValue };
  /** When runs were missed because no server was up: skip them (the default), or make up for them with one. */
  readonly missed?: Missed;
}

export function schedule(definition: ScheduleDefinition): ScheduleDefinition {
  return definition;
}

export function schedulesToManifest(schedules: readonly ScheduleDefinition[]): ManifestSchedule[] {
  return schedules.map(({ name, cron, timezone = "UTC", function: called, args = {}, missed = "skip" }) => ({
    name,
    cron,
    timezone,
    function: called,
    args,
    missed,
  }));
}
