/** Which durable replica the device offers when the app names none. */

import type { ReplicaPersistence } from "@pylonsync/sync";
import { createAsyncStorageReplica } from "./asyncStorageReplica.ts";
import { importAsyncStorage, importExpoSQLite } from "./peers.ts";
import { createExpoSQLiteReplica } from "./sqliteReplica.ts";

/** SQLite before AsyncStorage; undefined where there is neither, or the engine finds IndexedDB by itself. */
export async function deviceReplica(appName: string): Promise<ReplicaPersistence | undefined> {
  if (globalThis.indexedDB !== undefined) return undefined;
  const sqlite = await importExpoSQLite();
  if (sqlite !== null) {
    const database = await sqlite.openDatabaseAsync(`pylon_sync_${encodeURIComponent(appName)}.db`);
    return createExpoSQLiteReplica(database);
  }
  const storage = await importAsyncStorage();
  if (storage !== null) return createAsyncStorageReplica(appName, async () => storage);
  console.warn("pylon: install expo-sqlite or AsyncStorage to keep rows and unsent writes on the device");
  return undefined;
}
