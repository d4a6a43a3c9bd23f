/** Whether a row's document is here, and what became of the edits made in it. */

import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { DocumentStatus } from "./documentSync.ts";
import { tiedSync } from "./following.ts";
import { useLoroDoc } from "./useLoroDoc.ts";

export interface CollabStatus extends DocumentStatus {
  /** Offer the edits again now. */
  retry: () => void;
  /** Give up the unsent edits: the document comes again as the server has it. */
  discard: () => Promise<void>;
}

const NOTHING_YET: DocumentStatus = { unsent: false, error: null, loaded: false, lost: null };

export function useCollabStatus(entity: string, id: string): CollabStatus {
  // Ties the document before the effect of `subscribe` below looks for it.
  const doc = useLoroDoc(entity, id);
  const subscribe = useCallback((listener: () => void) => tiedSync(doc)?.subscribe(listener) ?? (() => undefined), [doc]);
  const read = (): DocumentStatus => tiedSync(doc)?.status ?? NOTHING_YET;
  const status = useSyncExternalStore(subscribe, read, () => NOTHING_YET);
  const retry = useCallback(() => tiedSync(doc)?.retry(), [doc]);
  const discard = useCallback(async () => tiedSync(doc)?.discard(), [doc]);
  return useMemo(() => ({ ...status, retry, discard }), [status, retry, discard]);
}
