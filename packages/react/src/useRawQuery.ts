/** The external stores behind `useQuery` and `useQueryOne`, for components that subscribe in a way of their own. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useMemo } from "react";
import type { ExternalStore } from "./externalStore.ts";
import { liveRow, liveRows } from "./liveRows.ts";

/** All rows of an entity; the same store as long as the arguments are the same. */
export function useQueryRaw(sync: SyncEngine, entity: string): ExternalStore<readonly Row[]> {
  return useMemo(() => liveRows(sync, entity), [sync, entity]);
}

/** One row; the same store as long as the arguments are the same. */
export function useQueryOneRaw(sync: SyncEngine, entity: string, id: string): ExternalStore<Row | null> {
  return useMemo(() => liveRow(sync, entity, id), [sync, entity, id]);
}

export const useLiveList = useQueryRaw;
export const useLiveRow = useQueryOneRaw;
