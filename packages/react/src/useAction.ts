/** A row that is shown while a function of the app's own makes the server create it. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useCallback, useEffect, useRef } from "react";

let actions = 0;

/**
 * The row is shown until `fn` has ended and its outcome was pulled. When `fn` fails the row goes, the failure is
 * logged, and the returned function resolves all the same.
 */
export function useAction(
  sync: SyncEngine,
  entity: string,
  fn: (row: Row) => Promise<void>,
): (row: Row) => Promise<void> {
  const latest = useRef(fn);
  useEffect(() => void (latest.current = fn));

  return useCallback(
    async (row: Row) => {
      const opId = `action_${++actions}`;
      const { id, ...data } = row;
      const rowId = typeof id === "string" && id !== "" ? id : `_pending_${opId}`;
      const change = { entity, row_id: rowId, kind: "insert", data } as const;
      sync.store.applyOptimistic(opId, change);
      try {
        await latest.current(row);
      } catch (error) {
        sync.store.discard([opId]);
        console.warn("pylon: an action failed", error);
        return;
      }
      sync.store.acknowledge(opId, change, Number.MAX_SAFE_INTEGER);
      await sync.pull();
      // That pull may have been under way already, and too early to see what the action did.
      if (sync.store.acknowledged().includes(opId)) await sync.pull();
    },
    [sync, entity],
  );
}
