/** Whom the server takes us for, kept up to date across tabs. */

import type { ResolvedSession, SyncEngine } from "@pylonsync/sync";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { sameJson } from "./equality.ts";
import { externalStore } from "./externalStore.ts";

export interface SessionResult {
  session: ResolvedSession;
  userId: string | null;
  tenantId: string | null;
  isAdmin: boolean;
  isAuthenticated: boolean;
  /** Ask the server again; call after the token or the tenant was changed. */
  refresh: () => Promise<void>;
}

const NOBODY: ResolvedSession = { userId: null, tenantId: null, isAdmin: false, roles: [] };

export function useSession(sync: SyncEngine): SessionResult {
  const store = useMemo(
    () =>
      externalStore<ResolvedSession>({
        subscribe: (listener) => sync.store.subscribe(listener),
        read: () => sync.resolvedSession(),
        keep: (previous, next) => (sameJson(previous, next) ? previous : next),
        empty: NOBODY,
      }),
    [sync],
  );
  const session = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const refresh = useCallback(() => sync.refreshResolvedSession(), [sync]);

  useEffect(() => {
    void refresh();
    // React Native has a window, but no events in it.
    if (typeof window === "undefined" || typeof window.addEventListener !== "function") return;
    const changed = ({ key }: StorageEvent): void => {
      if (key !== null && isTokenKey(key)) void refresh();
    };
    window.addEventListener("storage", changed);
    return () => window.removeEventListener("storage", changed);
  }, [refresh]);

  return useMemo(() => {
    const { userId, tenantId, isAdmin } = session;
    return { session, userId, tenantId, isAdmin, isAuthenticated: userId !== null, refresh };
  }, [session, refresh]);
}

function isTokenKey(key: string): boolean {
  return (key.startsWith("pylon_") || key.startsWith("pylon:")) && key.endsWith("token");
}
