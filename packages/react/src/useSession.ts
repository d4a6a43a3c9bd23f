/** Whom the server takes us for, kept up to date across tabs. */

import type { IdentityStatus, ResolvedSession, SyncEngine } from "@pylonsync/sync";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { sameJson } from "./equality.ts";
import { externalStore } from "./externalStore.ts";
import { onPageEvent } from "./pageEvents.ts";

export interface SessionResult {
  session: ResolvedSession;
  userId: string | null;
  tenantId: string | null;
  isAdmin: boolean;
  isAuthenticated: boolean;
  /** Whether that is the server's word, what was saved with the token, or just not known. */
  identity: IdentityStatus;
  /** Ask the server again; call after the token or the tenant was changed. */
  refresh: () => Promise<void>;
}

interface Identified {
  readonly session: ResolvedSession;
  readonly identity: IdentityStatus;
}

const NOBODY: Identified = {
  session: { userId: null, tenantId: null, isAdmin: false, roles: [] },
  identity: "unknown",
};

export function useSession(sync: SyncEngine): SessionResult {
  const store = useMemo(
    () =>
      // Both at once: a session of before under an identity of now would be somebody else's.
      externalStore<Identified>({
        subscribe: (listener) => {
          const ends = [sync.store.subscribe(listener), sync.onStatus(listener)];
          return () => {
            for (const end of ends) end();
          };
        },
        read: () => ({ session: sync.resolvedSession(), identity: sync.status.identity }),
        keep: (previous, next) => (sameJson(previous, next) ? previous : next),
        empty: NOBODY,
      }),
    [sync],
  );
  const { session, identity } = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
  const refresh = useCallback(() => sync.refreshResolvedSession(), [sync]);

  useEffect(() => {
    void refresh();
    return onPageEvent("storage", ({ key }) => {
      if (key !== null && isTokenKey(key)) void refresh();
    });
  }, [refresh]);

  return useMemo(() => {
    const { userId, tenantId, isAdmin } = session;
    return { session, userId, tenantId, isAdmin, isAuthenticated: userId !== null, identity, refresh };
  }, [session, identity, refresh]);
}

function isTokenKey(key: string): boolean {
  return (key.startsWith("pylon_") || key.startsWith("pylon:")) && key.endsWith("token");
}
