/** Who else is there, and what they say of themselves: everybody in the tenant who shares their presence. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { keyOf } from "./equality.ts";
import { type PresencePeer, presenceRoster } from "./presenceRoster.ts";

export interface PresenceResult<T> {
  /** Everybody but us, by user id; the same array as before as long as nothing in it changed. */
  peers: readonly PresencePeer<T>[];
  /** Say something else of ourselves, until `mine` changes or the component goes. */
  setPresence: (mine: T) => void;
}

const NOBODY: readonly PresencePeer[] = [];

/**
 * With `mine` it is shared with the others while the component is there; without, we only look. Of several components,
 * what the last one said counts.
 */
export function usePresence<T extends object = Row>(sync: SyncEngine, mine?: T): PresenceResult<T> {
  const roster = presenceRoster(sync);
  const peers = useSyncExternalStore(roster.subscribe, roster.getSnapshot, () => NOBODY);
  const key = keyOf(mine);
  useEffect(() => {
    if (mine === undefined) return undefined;
    roster.share({ ...mine } as Row);
    return () => roster.share(null);
  }, [roster, key]);
  return useMemo(
    // What peers say is the app's word.
    () => ({ peers: peers as readonly PresencePeer<T>[], setPresence: (next: T) => roster.share({ ...next } as Row) }),
    [peers, roster],
  );
}
