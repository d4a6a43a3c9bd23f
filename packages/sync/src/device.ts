/** What of the device an engine uses: where its replica is kept, and how the engines that share it take turns. */

import type { SyncEngineConfig } from "./config.ts";
import { databaseName } from "./database.ts";
import type { Environment } from "./environment.ts";
import type { Ids } from "./ids.ts";
import { IndexedDBPersistence } from "./indexeddb.ts";
import type { ReplicaPersistence, SharedReplicaPersistence } from "./persistence.ts";
import { SoleReplicaPersistence } from "./sole-persistence.ts";
import type { Storage } from "./storage.ts";
import { LeaseLock, noLock, type PushLock, webLock } from "./tabs.ts";

export interface Device {
  persistence: ReplicaPersistence;
  shared: SharedReplicaPersistence;
  pushLock: PushLock;
}

export function appNameOf({ appName = "default" }: Pick<SyncEngineConfig, "appName">): string {
  return appName;
}

/** Null where nothing is to be kept, or nothing can be. */
export function deviceFor(
  config: SyncEngineConfig,
  environment: Environment,
  storage: Storage,
  ids: Ids,
): Device | null {
  const { persist = true, persistence } = config;
  const { indexedDB, clock, locks } = environment;
  const appName = appNameOf(config);
  if (!persist) return null;
  if (persistence !== undefined) {
    const shared = persistence.shared ?? new SoleReplicaPersistence(persistence, storage, appName);
    return { persistence, shared, pushLock: noLock };
  }
  if (indexedDB === undefined) return null;
  const database = new IndexedDBPersistence(appName, () => indexedDB);
  const pushLock =
    locks === undefined
      ? new LeaseLock(database, ids.operation(), clock)
      : webLock(locks, `${databaseName(appName)}:push`);
  return { persistence: database, shared: database.shared, pushLock };
}
