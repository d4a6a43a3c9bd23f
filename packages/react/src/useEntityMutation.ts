/** Writing to the replica from a component: shown at once, queued, sent when it can be. */

import type { Created, Row, SyncEngine } from "@pylonsync/sync";
import { useCallback, useMemo } from "react";

/** Resolves to the new row's id after the attempt to send it, whatever its outcome. */
export type Insert = (data: Row) => Promise<string>;
/** The new row's id at once, and `sent` as `Insert` resolves. */
export type Create = (data: Row) => Created;
export type Update = (id: string, patch: Row) => Promise<void>;
export type Remove = (id: string) => Promise<void>;

export interface EntityMutation {
  insert: Insert;
  create: Create;
  update: Update;
  remove: Remove;
}

export function useInsert(sync: SyncEngine, entity: string): Insert {
  return useCallback((data) => sync.insert(entity, data), [sync, entity]);
}

export function useUpdate(sync: SyncEngine, entity: string): Update {
  return useCallback((id, patch) => sync.update(entity, id, patch), [sync, entity]);
}

export function useDelete(sync: SyncEngine, entity: string): Remove {
  return useCallback((id) => sync.delete(entity, id), [sync, entity]);
}

export function useEntityMutation(sync: SyncEngine, entity: string): EntityMutation {
  const insert = useInsert(sync, entity);
  const create = useCallback((data: Row) => sync.create(entity, data), [sync, entity]);
  const update = useUpdate(sync, entity);
  const remove = useDelete(sync, entity);
  return useMemo(() => ({ insert, create, update, remove }), [insert, create, update, remove]);
}
