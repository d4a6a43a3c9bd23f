/** What an app tells the engine: where the server is, how to speak to it, and what to keep. */

import type { ReplicaPersistence } from "./persistence.ts";
import type { Row, SyncCursor } from "./protocol.ts";
import type { Storage } from "./storage.ts";

export type TransportType = "websocket" | "sse" | "poll";

export interface SyncEngineConfig {
  /** Without a trailing slash: paths are appended. */
  baseUrl: string;
  transport?: TransportType | undefined;
  /** Where the WebSocket is; derived from `baseUrl` when absent. */
  wsUrl?: string | undefined;
  /** Where the event stream is; derived from `baseUrl` when absent. */
  sseUrl?: string | undefined;
  /** Milliseconds between polls, for the poll transport. */
  pollInterval?: number | undefined;
  /** Milliseconds the reconnect backoff starts from. */
  reconnectDelay?: number | undefined;
  /** A fixed token, which wins over the one in `storage`. */
  token?: string | undefined;
  appName?: string | undefined;
  storage?: Storage | undefined;
  /** Whether replica and queue outlive a reload; by default they do where there is IndexedDB. */
  persist?: boolean | undefined;
  /** Keeps them somewhere else than in IndexedDB. */
  persistence?: ReplicaPersistence | undefined;
}

export interface HydrationData {
  entities: Record<string, Row[]>;
  cursor?: SyncCursor | undefined;
}
