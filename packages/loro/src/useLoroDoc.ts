/** A row's document in a component. */

import type { LoroDoc } from "loro-crdt";
import { useCallback, useEffect, useSyncExternalStore } from "react";
import { follow } from "./following.ts";
import { globalRegistry } from "./registry.ts";

/**
 * Renders after every frame and every local commit; the document stays the same object. Edits made in it are sent once
 * they are committed (`doc.commit()`).
 */
export function useLoroDoc(entity: string, id: string): LoroDoc {
  const subscribe = useCallback(
    (listener: () => void) => globalRegistry.subscribe(entity, id, listener),
    [entity, id],
  );
  // The document is the same after a change, so what React compares is a count.
  useSyncExternalStore(subscribe, () => globalRegistry.version(entity, id), () => 0);
  const doc = globalRegistry.doc(entity, id);
  useEffect(() => follow(entity, id, doc), [entity, id, doc]);
  return doc;
}
