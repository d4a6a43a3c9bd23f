/** `@pylonsync/sync`: the public surface of the sync client. */

import type { SyncEngineConfig } from "./config.ts";
import { SyncEngine } from "./engine.ts";

export type { Clock, Random } from "./clock.ts";
export type { HydrationData, SyncEngineConfig, TransportType } from "./config.ts";
export { SyncEngine } from "./engine.ts";
export type { Environment, LockRequester } from "./environment.ts";
export type { RequestOptions } from "./http.ts";
export { HttpError } from "./http.ts";
export type { Alias } from "./aliases.ts";
export type { ReplicaOwner } from "./identity.ts";
export { IndexedDBPersistence, persistChange } from "./indexeddb.ts";
export type { LiveClientOptions, LiveQuery } from "./live.ts";
export { createLiveClient, LiveClient } from "./live.ts";
export type { LiveQuerySpec } from "./live-protocol.ts";
export type { LiveQueryState } from "./live-subscription.ts";
export { LiveQueryError } from "./live-subscription.ts";
export type { PresenceMessage, RoomEvent } from "./messages.ts";
export type { PendingMutation, QueueDelta } from "./mutations.ts";
export { MutationQueue } from "./mutations.ts";
export type { InfiniteQuery, InfiniteQueryOptions, Order, Page, PageOptions } from "./pages.ts";
export type { ChangeBatch, ReplicaPersistence, SharedReplicaPersistence } from "./persistence.ts";
export { ReplicaTakenError } from "./persistence.ts";
export type {
  ChangeEvent,
  ChangeKind,
  ClientChange,
  PullResponse,
  PushResponse,
  ResolvedSession,
  Row,
  SyncCursor,
} from "./protocol.ts";
export type { MutationQueuePersistence, SharedQueuePersistence } from "./queue-writer.ts";
export { getServerData } from "./ssr.ts";
export type { IdentityStatus, SyncStatus } from "./status.ts";
export type { Storage } from "./storage.ts";
export { createWriteThroughStorage, defaultStorage } from "./storage.ts";
export { LocalStore } from "./store.ts";
export type { ConnectionState } from "./transport.ts";
export type { Unsent, UnsentSource } from "./unsent.ts";
export type { Created } from "./writes.ts";

/** An engine for the server at `baseUrl`, with the browser's own network, clock and storage. Not started. */
export function createSyncEngine(
  baseUrl = "http://localhost:4321",
  options: Partial<SyncEngineConfig> = {},
): SyncEngine {
  return new SyncEngine({ ...options, baseUrl });
}
