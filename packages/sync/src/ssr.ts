/** Rows for a page rendered on a server, to hand to `SyncEngine.hydrate` in the browser. */

import type { HydrationData } from "./config.ts";
import { type Fetch, systemEnvironment } from "./environment.ts";
import { HttpClient } from "./http.ts";
import { parseRows, type Row } from "./protocol.ts";

/**
 * An entity that cannot be read gives no rows. There is no cursor with them: the rows are not all that this user may
 * read (lists are cut off, other entities were not asked for), and a replica that began behind them would never have
 * the rest.
 */
export async function getServerData(
  baseUrl: string,
  entities: string[],
  options: { token?: string | undefined; fetch?: Fetch | undefined } = {},
): Promise<HydrationData> {
  const { token = null, fetch = systemEnvironment().fetch } = options;
  const http = new HttpClient(baseUrl, fetch, () => token);
  const pairs = await Promise.all(
    entities.map(async (entity): Promise<[string, Row[]]> => {
      const rows = http.get(`/api/entities/${encodeURIComponent(entity)}`).then(parseRows);
      return [entity, await rows.catch(() => [])];
    }),
  );
  return { entities: Object.fromEntries(pairs) };
}
