/** Live rows of the replica that a query selects. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { keyOf } from "./equality.ts";
import type { RowQuery } from "./filter.ts";
import { liveRows } from "./liveRows.ts";
import { useReplicaLoaded } from "./useReplicaLoaded.ts";

export interface QueryOptions extends RowQuery {
  /** Accepted and without effect: rows of the replica come without what they are related to. */
  include?: Row | undefined;
}

export interface QueryResult<T> {
  /** The same array as before, holding the same objects, as long as nothing in it changed. */
  data: T[];
  /** True until there are rows, or the first pull has ended and there are none. */
  loading: boolean;
  error: Error | null;
  /** Look for news now. */
  refetch: () => Promise<void>;
}

export function useQuery<T = Row>(sync: SyncEngine, entity: string, options: QueryOptions = {}): QueryResult<T> {
  const { where, orderBy, limit } = options;
  const key = keyOf({ where, orderBy, limit });
  // By key and not by object, so that options may be written in place.
  const store = useMemo(() => liveRows(sync, entity, { where, orderBy, limit }), [sync, entity, key]);
  const rows = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const loaded = useReplicaLoaded(sync);
  const refetch = useCallback(() => sync.pull(), [sync]);
  const loading = rows.length === 0 && !loaded;
  return useMemo(
    // The type of rows is the app's word, as the manifest is the app's.
    () => ({ data: rows as T[], loading, error: null, refetch }),
    [rows, loading, refetch],
  );
}
