/** Starting the client on a device. */

import { getAppName, init as initReact, setReactStorage, type SyncEngineConfig } from "@pylonsync/react";
import { type AppState, followAppState } from "./appState.ts";
import { createAsyncStorageBridge } from "./bridge.ts";
import { deviceReplica } from "./deviceReplica.ts";
import { followNetwork } from "./network.ts";
import { importAppState, importNetInfo } from "./peers.ts";
import type { NetInfo } from "./useNetworkStatus.ts";

export interface NativeConfig extends Partial<SyncEngineConfig> {
  /** Pauses the client in the background. Without it React Native's own; null stays connected. */
  appState?: AppState | null | undefined;
  /** Says when there is a network again. Without it NetInfo, if it is installed; null is for attempts at their own pace. */
  network?: NetInfo | null | undefined;
}

const unfollow: (() => void)[] = [];

/**
 * As `init` of `@pylonsync/react`, with the token, the replica and the write queue kept on the device. Wait for it
 * before the first render.
 */
export async function init(config: NativeConfig = {}): Promise<void> {
  const { appState = await importAppState(), network = await importNetInfo(), ...rest } = config;
  const storage = rest.storage ?? (await createAsyncStorageBridge());
  const keep = rest.persist !== false && rest.persistence === undefined;
  const persistence = keep ? await deviceReplica(rest.appName ?? getAppName()) : rest.persistence;
  setReactStorage(storage);
  initReact({ ...rest, storage, persistence });
  for (const stop of unfollow.splice(0)) stop();
  if (appState !== null) unfollow.push(followAppState(appState));
  if (network !== null) unfollow.push(followNetwork(network));
}
