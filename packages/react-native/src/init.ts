/** Starting the client on a device. */

import { init as initReact, setReactStorage, type SyncEngineConfig } from "@pylonsync/react";
import { createAsyncStorageBridge } from "./bridge.ts";

/** As `init` of `@pylonsync/react`, with the token kept on the device. Wait for it before the first render. */
export async function init(config: Partial<SyncEngineConfig> = {}): Promise<void> {
  const storage = config.storage ?? (await createAsyncStorageBridge());
  setReactStorage(storage);
  initReact({ ...config, storage });
}
