/** `@pylonsync/react-native`: everything of `@pylonsync/react`, with the device's storage and network. */

// A name exported here by itself stands in for the one of the same name in `*`.
export * from "@pylonsync/react";
export type { AppState } from "./appState.ts";
export type { AsyncStorage } from "./asyncStorage.ts";
export { createAsyncStorageReplica } from "./asyncStorageReplica.ts";
export { createAsyncStorageBridge } from "./bridge.ts";
export type { NativeConfig } from "./init.ts";
export { init } from "./init.ts";
export { OfflineStore } from "./offlineStore.ts";
export type { PersistenceAdapter } from "./persistence.ts";
export { AsyncStoragePersistence } from "./persistence.ts";
export type { SQLiteDatabase } from "./sqliteReplica.ts";
export { createExpoSQLiteReplica } from "./sqliteReplica.ts";
export type { NetInfo, NetworkStatus } from "./useNetworkStatus.ts";
export { useNetworkStatus } from "./useNetworkStatus.ts";
