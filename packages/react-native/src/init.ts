/** Starting the client on a device. */

import { getAppName, init as initReact, setReactStorage, type SyncEngineConfig } from "@pylonsync/react";
import { type AppState, followAppState } from "./appState.ts";
import { createAsyncStorageBridge } from "./bridge.ts";
import { deviceReplica } from "./deviceReplica.ts";
import { importAppState } from "./peers.ts";

export interface NativeConfig extends Partial<SyncEngineConfig> {
  /** Pauses the client in the background. Without it React Native's own; null stays connected. */
  appState?: AppState | null | undefined;
}

let unfollow: () => void = () => undefined;

/**
 * As `init` of `@pylonsync/react`, with the token, the replica and the write queue kept on the device. Wait for it
 * before the first render.
 */
export async function init(config: NativeConfig = {}): Promise<void> {
  const { appState = await importAppState(), ...rest } = config;
  const storage = rest.storage ?? (await createAsyncStorageBridge());
  const keep = rest.persist !== false && rest.persistence === undefined;
  const persistence = keep ? await deviceReplica(rest.appName ?? getAppName()) : rest.persistence;
  setReactStorage(storage);
  initReact({ ...rest, storage, persistence });
  unfollow();
  unfollow = appState === null ? () => undefined : followAppState(appState);
}
