/** Live rows of the replica that a query selects. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { keyOf } from "./equality.ts";
import { type IncludingQuery, liveRows } from "./liveRows.ts";
import { useSyncStatus } from "./useSyncStatus.ts";

export type QueryOptions = IncludingQuery;

export interface QueryResult<T> {
  /** The same array as before, holding the same objects, as long as nothing in it changed. */
  data: T[];
  /** True until there are rows, it is known that there are none, or the server could not be asked. */
  loading: boolean;
  /** Why the rows may be old, or missing: how the last look for news failed. */
  error: Error | null;
  /** Look for news now. */
  refetch: () => Promise<void>;
}

export function useQuery<T = Row>(sync: SyncEngine, entity: string, options: QueryOptions = {}): QueryResult<T> {
  const { where, orderBy, limit, include } = options;
  const key = keyOf({ where, orderBy, limit, include });
  // By key and not by object, so that options may be written in place.
  const store = useMemo(() => liveRows(sync, entity, { where, orderBy, limit, include }), [sync, entity, key]);
  const rows = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const { loaded, error } = useSyncStatus(sync);
  const refetch = useCallback(() => sync.pull(), [sync]);
  const loading = rows.length === 0 && !loaded && error === null;
  return useMemo(
    // The type of rows is the app's word, as the manifest is the app's.
    () => ({ data: rows as T[], loading, error, refetch }),
    [rows, loading, error, refetch],
  );
}
