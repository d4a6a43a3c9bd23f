/** How it stands with the replica: whether it holds all it should and is known to be ours, and how the last pull went. */

import type { SyncEngine, SyncStatus } from "@pylonsync/sync";
import { useCallback, useSyncExternalStore } from "react";

const NOT_LOADED: SyncStatus = { loaded: false, pulling: false, error: null, identity: "unknown" };

/** The same object as before as long as nothing in it changed. */
export function useSyncStatus(sync: SyncEngine): SyncStatus {
  const subscribe = useCallback((listener: () => void) => sync.onStatus(listener), [sync]);
  return useSyncExternalStore(
    subscribe,
    () => sync.status,
    () => NOT_LOADED,
  );
}
