/** `@pylonsync/sync`: the public surface of the sync client. */

import { SyncEngine, type SyncEngineConfig } from "./engine.ts";

export type { Clock, Random } from "./clock.ts";
export type { HydrationData, SyncEngineConfig, TransportType } from "./engine.ts";
export { SyncEngine } from "./engine.ts";
export type { Environment } from "./environment.ts";
export { HttpError } from "./http.ts";
export type { MutationQueuePersistence, PendingMutation } from "./mutations.ts";
export { MutationQueue } from "./mutations.ts";
export type { InfiniteQuery, Order, Page, PageOptions } from "./pages.ts";
export type { ReplicaPersistence } from "./persistence.ts";
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
export { getServerData } from "./ssr.ts";
export type { Storage } from "./storage.ts";
export { createWriteThroughStorage, defaultStorage } from "./storage.ts";
export { LocalStore } from "./store.ts";
export type { ConnectionState } from "./transport.ts";

/** An engine for the server at `baseUrl`, with the browser's own network, clock and storage. Not started. */
export function createSyncEngine(
  baseUrl = "http://localhost:4321",
  options: Partial<SyncEngineConfig> = {},
): SyncEngine {
  return new SyncEngine({ ...options, baseUrl });
}
