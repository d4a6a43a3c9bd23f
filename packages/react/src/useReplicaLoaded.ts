/** Whether the replica has had its first pull: before that, an entity without rows is not yet known to be empty. */

import type { SyncEngine } from "@pylonsync/sync";
import { useCallback, useSyncExternalStore } from "react";

/**
 * An engine begins to connect when its first pull has ended, so from then on it is not idle. It does not say how the
 * pull ended: after a failed one, nothing is what the replica holds.
 */
export function useReplicaLoaded(sync: SyncEngine): boolean {
  const subscribe = useCallback((listener: () => void) => sync.subscribeConnection(listener), [sync]);
  return useSyncExternalStore(
    subscribe,
    () => sync.connection.kind !== "idle",
    () => false,
  );
}
