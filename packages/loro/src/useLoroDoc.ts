/** A row's document in a component. */

import type { LoroDoc } from "loro-crdt";
import { useCallback, useEffect, useSyncExternalStore } from "react";
import { syncOf } from "./following.ts";
import { globalRegistry } from "./registry.ts";

/**
 * Renders after every frame and every local commit; the document stays the same object. Edits made in it are sent once
 * they are committed (`doc.commit()`).
 */
export function useLoroDoc(entity: string, id: string): LoroDoc {
  return useDocument(entity, id).doc;
}

/** The document, and a number that is another one after each change of it. */
export function useDocument(entity: string, id: string): { doc: LoroDoc; version: number } {
  const subscribe = useCallback(
    (listener: () => void) => globalRegistry.subscribe(entity, id, listener),
    [entity, id],
  );
  const version = useSyncExternalStore(subscribe, () => globalRegistry.version(entity, id), () => 0);
  const doc = globalRegistry.doc(entity, id);
  useEffect(() => syncOf({ entity, rowId: id }, doc).follow(), [entity, id, doc]);
  return { doc, version };
}
