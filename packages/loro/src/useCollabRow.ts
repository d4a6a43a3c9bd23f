/** The plain fields of a row's document: of each, the last write counts. */

import type { Value } from "loro-crdt";
import { useCallback, useMemo } from "react";
import { getLoroMap, ROW_MAP } from "./containers.ts";
import { globalRegistry } from "./registry.ts";
import { useDocument } from "./useLoroDoc.ts";

/** The fields, and the way to set some of them; undefined takes one away. */
export function useCollabRow(
  entity: string,
  id: string,
): [fields: Record<string, Value>, set: (fields: Record<string, Value | undefined>) => void] {
  const { doc, version } = useDocument(entity, id);
  const fields = useMemo(() => getLoroMap(doc, ROW_MAP).toJSON() as Record<string, Value>, [doc, version]);
  const set = useCallback(
    (changes: Record<string, Value | undefined>) => {
      const current = globalRegistry.doc(entity, id);
      const map = getLoroMap(current, ROW_MAP);
      for (const [name, value] of Object.entries(changes)) {
        if (value === undefined) map.delete(name);
        else map.set(name, value);
      }
      current.commit();
    },
    [entity, id],
  );
  return [fields, set];
}
