/** `@pylonsync/react-native`: everything of `@pylonsync/react`, with the device's storage and network. */

// A name exported here by itself stands in for the one of the same name in `*`.
export * from "@pylonsync/react";
export type { AsyncStorage } from "./asyncStorage.ts";
export { createAsyncStorageBridge } from "./bridge.ts";
export { init } from "./init.ts";
export { OfflineStore } from "./offlineStore.ts";
export type { PersistenceAdapter } from "./persistence.ts";
export { AsyncStoragePersistence } from "./persistence.ts";
export type { NetworkStatus } from "./useNetworkStatus.ts";
export { useNetworkStatus } from "./useNetworkStatus.ts";
