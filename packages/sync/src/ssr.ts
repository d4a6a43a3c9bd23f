/** Rows for a page rendered on a server, to hand to `SyncEngine.hydrate` in the browser. */

import type { HydrationData } from "./engine.ts";
import { type Fetch, systemEnvironment } from "./environment.ts";
import { HttpClient } from "./http.ts";
import { parsePullResponse, parseRows, type Row } from "./protocol.ts";

/**
 * An entity that cannot be read gives no rows. The cursor is read first: an event between the two readings is
 * then seen twice, which is harmless, and never missed.
 */
export async function getServerData(
  baseUrl: string,
  entities: string[],
  options: { token?: string | undefined; fetch?: Fetch | undefined } = {},
): Promise<HydrationData> {
  const { token = null, fetch = systemEnvironment().fetch } = options;
  const http = new HttpClient(baseUrl, fetch, () => token);
  const cursor = await http
    .get("/api/sync/pull?since=0&limit=0")
    .then((body) => parsePullResponse(body).cursor)
    .catch(() => ({ last_seq: 0 }));
  const pairs = await Promise.all(
    entities.map(async (entity): Promise<[string, Row[]]> => {
      const rows = http.get(`/api/entities/${encodeURIComponent(entity)}`).then(parseRows);
      return [entity, await rows.catch(() => [])];
    }),
  );
  return { entities: Object.fromEntries(pairs), cursor };
}
