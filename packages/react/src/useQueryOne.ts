/** One live row of the replica. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { liveRow } from "./liveRows.ts";
import { useSyncStatus } from "./useSyncStatus.ts";

export interface QueryOneResult<T> {
  /** The same object as before as long as nothing in it changed; null while there is no such row. */
  data: T | null;
  /** True until there is the row, it is known that there is none, or the server could not be asked. */
  loading: boolean;
  /** Why the row may be old, or missing: how the last look for news failed. */
  error: Error | null;
  /** Look for news now. */
  refetch: () => Promise<void>;
}

export function useQueryOne<T = Row>(sync: SyncEngine, entity: string, id: string): QueryOneResult<T> {
  const store = useMemo(() => liveRow(sync, entity, id), [sync, entity, id]);
  const row = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const { loaded, error } = useSyncStatus(sync);
  const refetch = useCallback(() => sync.pull(), [sync]);
  const loading = row === null && !loaded && error === null;
  // The type of rows is the app's word, as the manifest is the app's.
  return useMemo(() => ({ data: row as T | null, loading, error, refetch }), [row, loading, error, refetch]);
}
