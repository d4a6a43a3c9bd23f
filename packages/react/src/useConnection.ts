/** Whether what happens elsewhere is heard of at once, in one word to show. */

import { HttpError, type SyncEngine } from "@pylonsync/sync";
import { useCallback, useSyncExternalStore } from "react";
import { onPageEvent } from "./pageEvents.ts";

export type ConnectionStatus =
  /** Changes arrive as they happen, or as often as is polled. */
  | "connected"
  /** Not yet, or not any more for a moment; nothing is known to be in the way. */
  | "connecting"
  /** There is no network, or the server does not answer. What is written waits. */
  | "offline";

export function useConnection(sync: SyncEngine): ConnectionStatus {
  const subscribe = useCallback((listener: () => void) => onChange(sync, listener), [sync]);
  return useSyncExternalStore(subscribe, () => connectionStatus(sync), () => "connecting");
}

function connectionStatus({ connection, status: { error } }: SyncEngine): ConnectionStatus {
  // Browsers are right about having no network, and only guess about having one. React Native says nothing.
  if (globalThis.navigator?.onLine === false) return "offline";
  // A refusal is an answer, but polling cannot tell a server that is away in any other way.
  if (connection.kind === "open" && (error === null || error instanceof HttpError)) return "connected";
  return error === null ? "connecting" : "offline";
}

function onChange(sync: SyncEngine, listener: () => void): () => void {
  const stops = [
    sync.subscribeConnection(listener),
    sync.onStatus(listener),
    onPageEvent("online", listener),
    onPageEvent("offline", listener),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
