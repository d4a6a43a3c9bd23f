/** Reconnects as soon as there is a network again: without being told, the client would wait for its next attempt. */

import { wakeSync } from "@pylonsync/react";
import type { NetInfo } from "./useNetworkStatus.ts";

/** Returns the way to stop. */
export function followNetwork(network: NetInfo): () => void {
  let wasConnected = true;
  return network.addEventListener(({ isConnected }) => {
    const isBack = isConnected === true && !wasConnected;
    wasConnected = isConnected === true;
    if (isBack) wakeSync();
  });
}
