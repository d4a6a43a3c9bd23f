/** What a page without a build imports from `/_pylon/sync.js`: all of the package but what is for servers and tests. */

export {
  createLiveClient, createSyncEngine, createWriteThroughStorage, defaultStorage, HttpError, IndexedDBPersistence,
  LiveClient, LiveQueryError, LocalStore, MutationQueue, ReplicaTakenError, SyncEngine,
} from "./index.ts";
