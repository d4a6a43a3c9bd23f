/** Rows for a page rendered on a server, to hand to `SyncEngine.hydrate` in the browser. */

import type { HydrationData } from "./config.ts";
import { type Fetch, systemEnvironment } from "./environment.ts";
import { HttpClient } from "./http.ts";
import { parsePullResponse, parseRows, type PullResponse, type Row } from "./protocol.ts";

/**
 * The rows of each entity, none where it cannot be read, and the cursor that a replica holding just these may go on
 * from. That is 0 unless they are all that the user may read: lists are cut off, entities were not asked for, and a
 * replica that began behind what it does not have would never get it.
 */
export async function getServerData(
  baseUrl: string,
  entities: string[],
  options: { token?: string | undefined; fetch?: Fetch | undefined } = {},
): Promise<HydrationData> {
  const { token = null, fetch = systemEnvironment().fetch } = options;
  const http = new HttpClient(baseUrl, fetch, () => token);
  // Before the rows, so that they hold all that was changed up to the cursor.
  const log = await http.request("/api/sync/pull?since=0&limit=0").then(parsePullResponse, () => null);
  const pairs = await Promise.all(
    entities.map(async (entity): Promise<[string, Row[]]> => {
      const rows = http.request(`/api/entities/${encodeURIComponent(entity)}`).then(parseRows);
      return [entity, await rows.catch(() => [])];
    }),
  );
  const lists = new Map(pairs);
  const lastSeq = log !== null && holds(lists, log) ? log.cursor.last_seq : 0;
  return { entities: Object.fromEntries(lists), cursor: { last_seq: lastSeq } };
}

/** Whether the lists hold every row that the whole log speaks of, or it has gone. */
function holds(lists: ReadonlyMap<string, readonly Row[]>, { changes, has_more }: PullResponse): boolean {
  if (has_more) return false;
  const living = new Map(changes.map((change) => [JSON.stringify([change.entity, change.row_id]), change]));
  return [...living.values()].every(({ entity, row_id, kind }) => {
    return kind === "delete" || (lists.get(entity)?.some(({ id }) => id === row_id) ?? false);
  });
}
