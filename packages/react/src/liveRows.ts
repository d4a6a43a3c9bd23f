/** Rows of the replica as external stores, for React and for whatever else renders. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { keepRows, sameJson } from "./equality.ts";
import { type ExternalStore, externalStore } from "./externalStore.ts";
import { type RowQuery, selectRows } from "./filter.ts";
import { type Include, inclusionsOf, withIncluded } from "./include.ts";

export interface IncludingQuery extends RowQuery {
  include?: Include | undefined;
}

const NO_ROWS: readonly Row[] = [];

/** The rows of an entity that a query selects. */
export function liveRows(sync: SyncEngine, entity: string, query: IncludingQuery = {}): ExternalStore<readonly Row[]> {
  const inclusions = inclusionsOf(query.include);
  const entities = new Set([entity, ...inclusions.map(([, inclusion]) => inclusion.entity)]);
  return externalStore({
    subscribe(listener) {
      const stops = [...entities].map((name) => sync.store.subscribeEntity(name, listener));
      return () => {
        for (const stop of stops) stop();
      };
    },
    read: () => withIncluded(sync.store, selectRows(sync.store.list(entity), query), inclusions),
    keep: keepRows,
    empty: NO_ROWS,
  });
}

/** One row, or null while there is none. */
export function liveRow(sync: SyncEngine, entity: string, id: string): ExternalStore<Row | null> {
  return externalStore<Row | null>({
    subscribe: (listener) => sync.store.subscribeEntity(entity, listener),
    read: () => sync.store.get(entity, id),
    keep: (previous, next) => (sameJson(previous, next) ? previous : next),
    empty: null,
  });
}
