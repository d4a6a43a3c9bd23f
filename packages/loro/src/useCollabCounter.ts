/** A number that several people add to at once: nobody's part is lost. */

import { useCallback } from "react";
import { getLoroCounter } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { useLoroDoc } from "./useLoroDoc.ts";

/** The number, and the way to add to it (by 1 unless told). For fields of kind `counter`. */
export function useCollabCounter(
  entity: string,
  id: string,
  field: string,
): [value: number, add: (amount?: number) => void] {
  const doc = useLoroDoc(entity, id);
  const add = useCallback(
    (amount = 1) => {
      const current = globalRegistry.doc(entity, id);
      getLoroCounter(current, field).increment(amount);
      current.commit();
    },
    [entity, id, field],
  );
  return [getLoroCounter(doc, field).value, add];
}
