/**
 * The ways to the optional peers. Each is imported when it is first needed, and null when it is not installed.
 *
 * Their types are not: what is used of each is an interface of ours, so an app type-checks with them and without. The
 * imports stand inside `try` as they are, because that is what bundlers take for optional.
 */

import type { AppState } from "./appState.ts";
import type { AsyncStorage } from "./asyncStorage.ts";
import type { SQLiteDatabase } from "./sqliteReplica.ts";
import type { NetInfo } from "./useNetworkStatus.ts";

export async function importAsyncStorage(): Promise<AsyncStorage | null> {
  try {
    // @ts-ignore: an optional peer, which need not be installed where this is checked
    return ((await import("@react-native-async-storage/async-storage")) as { default: AsyncStorage }).default;
  } catch {
    return null;
  }
}

export async function importNetInfo(): Promise<NetInfo | null> {
  try {
    // @ts-ignore: an optional peer, which need not be installed where this is checked
    return ((await import("@react-native-community/netinfo")) as { default: NetInfo }).default;
  } catch {
    return null;
  }
}

export interface ExpoSQLite {
  openDatabaseAsync(name: string): Promise<SQLiteDatabase>;
}

export async function importExpoSQLite(): Promise<ExpoSQLite | null> {
  try {
    // @ts-ignore: an optional peer, which need not be installed where this is checked
    return (await import("expo-sqlite")) as ExpoSQLite;
  } catch {
    return null;
  }
}

export async function importAppState(): Promise<AppState | null> {
  try {
    // @ts-ignore: an optional peer, which need not be installed where this is checked
    return ((await import("react-native")) as { AppState: AppState }).AppState;
  } catch {
    return null;
  }
}
