/**
 * Rows that the server selects and keeps up to date: only the rows asked for, no replica.
 *
 * For entities too large to replicate, and for lists that a limit cuts off.
 */

import { LiveClient, type LiveQuery, type LiveQueryState, type Order, type Row, type SyncEngine } from "@pylonsync/sync";
import { useMemo, useSyncExternalStore } from "react";
import { usePageEngine } from "./engine.ts";
import { keyOf } from "./equality.ts";
import type { ExternalStore } from "./externalStore.ts";

export interface LiveQueryOptions {
  /** As the server's filters: see the guide's chapter on queries. */
  where?: Row | undefined;
  order?: Order | undefined;
  /** 1 to 1000, which is what it is when not given. */
  limit?: number | undefined;
}

export interface LiveQueryResult<T> {
  /** The same array as before, holding the same objects, as long as nothing in it changed. */
  data: T[];
  /** True until the server has answered, or refused. */
  loading: boolean;
  /** Why there is no answer, or no newer one. */
  error: Error | null;
  /** Whether the rows are all there are; false when the limit cut them off. */
  complete: boolean;
}

/** Those of the page's engine, or of the engine or live client given. */
export function useLiveQuery<T = Row>(entity: string, options?: LiveQueryOptions): LiveQueryResult<T>;
export function useLiveQuery<T = Row>(
  source: SyncEngine | LiveClient,
  entity: string,
  options?: LiveQueryOptions,
): LiveQueryResult<T>;
export function useLiveQuery<T = Row>(
  ...args: OfPage | OfSource
): LiveQueryResult<T> {
  const page = usePageEngine();
  const [source, entity, options = {}] = isOfPage(args) ? [page, ...args] : args;
  const client = source instanceof LiveClient ? source : source.live;
  const { where, order, limit } = options;
  const key = keyOf({ where, order, limit });
  const store = useMemo(() => liveQueryStore<T>(client, { entity, where, order, limit }), [client, entity, key]);
  const { rows, loading, error, complete } = useSyncExternalStore(
    store.subscribe,
    store.getSnapshot,
    store.getServerSnapshot,
  );
  return useMemo(() => ({ data: rows as T[], loading, error, complete }), [rows, loading, error, complete]);
}

type OfPage = [entity: string, options?: LiveQueryOptions | undefined];
type OfSource = [source: SyncEngine | LiveClient, entity: string, options?: LiveQueryOptions | undefined];

function isOfPage(args: OfPage | OfSource): args is OfPage {
  return typeof args[0] === "string";
}

const ASKING: LiveQueryState<never> = { rows: [], loading: true, error: null, complete: false };

/** The query is asked while somebody subscribes. */
function liveQueryStore<T>(
  client: LiveClient,
  spec: { entity: string } & LiveQueryOptions,
): ExternalStore<LiveQueryState<T>> {
  const queries = new Set<LiveQuery<T>>();
  return {
    subscribe(listener) {
      const query = client.query<T>(spec);
      queries.add(query);
      const stop = query.subscribe(listener);
      return () => {
        stop();
        queries.delete(query);
        query.close();
      };
    },
    getSnapshot() {
      const [query] = queries;
      return query?.snapshot ?? ASKING;
    },
    getServerSnapshot: () => ASKING,
  };
}
