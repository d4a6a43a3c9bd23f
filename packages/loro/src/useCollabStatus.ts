/** What became of the edits made in a row's document here. */

import { useCallback, useMemo, useSyncExternalStore } from "react";
import { tiedSync } from "./following.ts";
import type { UploadStatus } from "./uploader.ts";
import { useLoroDoc } from "./useLoroDoc.ts";

export interface CollabStatus extends UploadStatus {
  /** Offer the edits again now. */
  retry: () => void;
  /** Give up the unsent edits: the document comes again as the server has it. */
  discard: () => Promise<void>;
}

const NOTHING_UNSENT: UploadStatus = { unsent: false, error: null };

export function useCollabStatus(entity: string, id: string): CollabStatus {
  // Ties the document before the effect of `subscribe` below looks for it.
  const doc = useLoroDoc(entity, id);
  const subscribe = useCallback((listener: () => void) => tiedSync(doc)?.subscribe(listener) ?? (() => undefined), [doc]);
  const read = (): UploadStatus => tiedSync(doc)?.status ?? NOTHING_UNSENT;
  const status = useSyncExternalStore(subscribe, read, () => NOTHING_UNSENT);
  const retry = useCallback(() => tiedSync(doc)?.retry(), [doc]);
  const discard = useCallback(async () => tiedSync(doc)?.discard(), [doc]);
  return useMemo(() => ({ ...status, retry, discard }), [status, retry, discard]);
}
