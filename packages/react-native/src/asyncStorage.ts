/** The device's key-value storage, as far as it is used here, and the way to the real one. */

import { importAsyncStorage } from "./peers.ts";

/** The part of AsyncStorage that is used. */
export interface AsyncStorage {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, value: string): Promise<void>;
  removeItem(key: string): Promise<void>;
  getAllKeys(): Promise<readonly string[]>;
  multiGet(keys: readonly string[]): Promise<readonly (readonly [string, string | null])[]>;
  multiRemove(keys: readonly string[]): Promise<void>;
}

/** Rejects with what to install when it is missing. */
export async function deviceStorage(): Promise<AsyncStorage> {
  const storage = await importAsyncStorage();
  if (storage !== null) return storage;
  throw new Error("Install @react-native-async-storage/async-storage to keep sessions on the device.");
}
