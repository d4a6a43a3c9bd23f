/** The device's asynchronous storage as the synchronous one that the client reads its token from. */

import type { Storage } from "@pylonsync/react";
import { createWriteThroughStorage } from "@pylonsync/sync";
import { type AsyncStorage, deviceStorage } from "./asyncStorage.ts";

/**
 * Everything of pylon's is read once; reading is from memory after that. Writes go to the device one after another
 * without being waited for, so the last one stays; one that fails is logged.
 */
export async function createAsyncStorageBridge(device?: AsyncStorage): Promise<Storage> {
  const disk = device ?? (await deviceStorage());
  const keys = (await disk.getAllKeys()).filter((key) => key.startsWith("pylon_") || key.startsWith("pylon:"));
  const seed = (await disk.multiGet(keys)).filter((pair): pair is readonly [string, string] => pair[1] !== null);
  let last: Promise<void> = Promise.resolve();
  return createWriteThroughStorage(Object.fromEntries(seed), (key, value) => {
    last = last
      .then(() => (value === null ? disk.removeItem(key) : disk.setItem(key, value)))
      .catch((error: unknown) => console.warn(`pylon: ${key} was not saved on the device`, error));
  });
}
