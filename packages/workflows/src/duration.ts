/** Durations as authors write them: `"30s"`, `"5m"`, `"24h"`, `"7d"`, or whole seconds. */

const DURATION = /^(\d{1,9})([smhd]?)$/;
const SECONDS_MAX = 36_500 * 86_400;
const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 };

/** The duration in seconds. Throws a `RangeError` for anything else, because a typo must not mean "at once". */
export function parseDuration(duration: string | number): number {
  const found = DURATION.exec(String(duration).trim());
  const unit = found === null ? undefined : SECONDS[found[2] ?? ""];
  const seconds = found === null || unit === undefined ? Number.NaN : Number(found[1]) * unit;
  if (!(seconds <= SECONDS_MAX)) {
    throw new RangeError(`"${duration}" is no duration; write whole numbers with s, m, h or d, such as "90s" or "24h"`);
  }
  return seconds;
}
