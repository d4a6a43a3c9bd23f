/** One live row of the replica. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { liveRow } from "./liveRows.ts";
import { useReplicaLoaded } from "./useReplicaLoaded.ts";

export interface QueryOneResult<T> {
  /** The same object as before as long as nothing in it changed; null while there is no such row. */
  data: T | null;
  /** True until there is the row, or the first pull has ended and there is none. */
  loading: boolean;
  error: Error | null;
  /** Look for news now. */
  refetch: () => Promise<void>;
}

export function useQueryOne<T = Row>(sync: SyncEngine, entity: string, id: string): QueryOneResult<T> {
  const store = useMemo(() => liveRow(sync, entity, id), [sync, entity, id]);
  const row = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const loaded = useReplicaLoaded(sync);
  const refetch = useCallback(() => sync.pull(), [sync]);
  const loading = row === null && !loaded;
  // The type of rows is the app's word, as the manifest is the app's.
  return useMemo(() => ({ data: row as T | null, loading, error: null, refetch }), [row, loading, refetch]);
}
