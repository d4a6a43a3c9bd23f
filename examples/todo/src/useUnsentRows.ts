import { useMemo } from "react";
import { db } from "./schema.ts";

/** The rows of whose changes the server lacks some. */
export function useUnsentRows(): ReadonlySet<string> {
  const { writes } = db.useUnsent();
  return useMemo(() => new Set(writes.map(({ change }) => change.row_id)), [writes]);
}
