/** How it stands between this page and the server: the connection, and what was written and not sent. */

import { type MutationQueue, type PendingMutation, pauseSync, resumeSync, type SyncEngine } from "@pylonsync/react";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { db } from "./schema.ts";

export type Link = "live" | "connecting" | "offline";

export interface Queue {
  /** Written here and not yet accepted by the server, oldest first. */
  readonly unsent: readonly PendingMutation[];
  /** Refused by the server, and no longer shown. */
  readonly refused: readonly PendingMutation[];
}

// The engine tries again after ever longer pauses; when the browser says that there is a network it need not wait.
addEventListener("online", () => {
  pauseSync();
  resumeSync();
});

export function useLink(): Link {
  const { sync } = db.untyped;
  const subscribe = useCallback((listener: () => void) => onLinkChange(sync, listener), [sync]);
  return useSyncExternalStore(subscribe, () => linkOf(sync));
}

export function useQueue(): Queue {
  const { mutations } = db.untyped.sync;
  const store = useMemo(() => queueStore(mutations), [mutations]);
  return useSyncExternalStore(store.subscribe, store.read);
}

/** The rows of whose changes the server lacks some. */
export function useUnsentRows(): ReadonlySet<string> {
  const { unsent } = useQueue();
  return useMemo(() => new Set(unsent.map(({ change }) => change.row_id)), [unsent]);
}

export function dismiss(refused: PendingMutation): void {
  db.untyped.sync.mutations.remove(refused.id);
}

function linkOf(sync: SyncEngine): Link {
  if (!navigator.onLine) return "offline";
  if (sync.connection.kind === "open") return "live";
  return sync.status.error === null ? "connecting" : "offline";
}

function onLinkChange(sync: SyncEngine, listener: () => void): () => void {
  const stops = [sync.subscribeConnection(listener), sync.onStatus(listener)];
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
    for (const stop of stops) stop();
  };
}

/** The queue as one object, the same until something in it changes. */
function queueStore(mutations: MutationQueue) {
  const look = (): Queue => ({ unsent: mutations.pending(), refused: mutations.failed() });
  let queue = look();
  return {
    read: () => queue,
    subscribe(listener: () => void): () => void {
      queue = look();
      return mutations.subscribe(() => {
        queue = look();
        listener();
      });
    },
  };
}
