/** Whether the device is on a network, and on which kind. */

import { useEffect, useState } from "react";
import { importNetInfo } from "./peers.ts";

export interface NetworkStatus {
  isOnline: boolean;
  /** "wifi", "cellular", "none" and the like; "unknown" until the device has said. */
  connectionType: string;
}

interface NetInfoState {
  isConnected: boolean | null;
  type: string;
}

/** The part of NetInfo that is used. */
export interface NetInfo {
  addEventListener(listener: (state: NetInfoState) => void): () => void;
}

const UNKNOWN: NetworkStatus = { isOnline: true, connectionType: "unknown" };

/** Without NetInfo the device never says, and counts as online. */
export function useNetworkStatus(): NetworkStatus {
  const [status, setStatus] = useState(UNKNOWN);

  useEffect(() => {
    let unsubscribe: (() => void) | null = null;
    let gone = false;
    const show = ({ isConnected, type }: NetInfoState): void => {
      setStatus((before) => {
        const isOnline = isConnected === true;
        const unchanged = before.isOnline === isOnline && before.connectionType === type;
        return unchanged ? before : { isOnline, connectionType: type };
      });
    };
    void deviceNetInfo().then((netInfo) => {
      if (!gone && netInfo !== null) unsubscribe = netInfo.addEventListener(show);
    });
    return () => {
      gone = true;
      unsubscribe?.();
    };
  }, []);

  return status;
}

async function deviceNetInfo(): Promise<NetInfo | null> {
  const netInfo = await importNetInfo();
  if (netInfo === null) console.warn("pylon: install @react-native-community/netinfo to know whether the device is online");
  return netInfo;
}
