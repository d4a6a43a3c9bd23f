/** What became of the writes made here: those that the server does not have yet, and those that it refused. */

import type { PendingMutation, SyncEngine } from "@pylonsync/sync";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { keepRows } from "./equality.ts";
import { externalStore } from "./externalStore.ts";

export interface UnsentWrites {
  /** How much the server does not have: writes, and documents with edits. */
  count: number;
  /** The writes among it, oldest first. */
  writes: readonly PendingMutation[];
}

export interface FailedWrites {
  /** Oldest first; `error` and `code` say why. They are not shown in the rows any more. */
  failed: readonly PendingMutation[];
  /** The user has seen it. */
  dismiss: (id: string) => void;
}

const NONE: readonly PendingMutation[] = [];
const NOTHING_UNSENT: UnsentWrites = { count: 0, writes: NONE };

/** The same object as before as long as nothing in it changed. */
export function useUnsent(sync: SyncEngine): UnsentWrites {
  const store = useMemo(
    () =>
      externalStore<UnsentWrites>({
        subscribe: (listener) => sync.unsent.subscribe(listener),
        read: () => ({ count: sync.unsent.count, writes: sync.mutations.pending() }),
        keep(previous, { count, writes }) {
          const kept = keepRows(previous.writes, writes);
          return kept === previous.writes && count === previous.count ? previous : { count, writes: kept };
        },
        empty: NOTHING_UNSENT,
      }),
    [sync],
  );
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}

export function useFailedWrites(sync: SyncEngine): FailedWrites {
  const store = useMemo(
    () =>
      externalStore({
        subscribe: (listener) => sync.mutations.subscribe(listener),
        read: (): readonly PendingMutation[] => sync.mutations.failed(),
        keep: keepRows,
        empty: NONE,
      }),
    [sync],
  );
  const failed = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const dismiss = useCallback((id: string) => sync.mutations.remove(id), [sync]);
  return useMemo(() => ({ failed, dismiss }), [failed, dismiss]);
}
