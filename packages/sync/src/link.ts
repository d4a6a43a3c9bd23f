/** What keeps the replica up to date: a live connection by the transport asked for, or polling where there is none. */

import type { Backoff } from "./backoff.ts";
import type { SyncEngineConfig } from "./config.ts";
import type { Environment } from "./environment.ts";
import { dialEvents } from "./event-stream.ts";
import { watched } from "./liveness.ts";
import { Poller } from "./poller.ts";
import { Connection, type ConnectionHandlers, type Dial, dialWebSocket } from "./transport.ts";
import { eventStreamUrl, webSocketUrl } from "./urls.ts";

export type Link = Pick<Connection, "state" | "start" | "stop" | "restart" | "wake" | "send" | "subscribe">;

export interface LinkHandlers extends ConnectionHandlers {
  /** Push and pull: a poll is due. */
  beat(): void;
  /** Find out whether the connection kept something from us. */
  misses(): Promise<boolean>;
}

const POLL_INTERVAL_MS = 1_000;

export function makeLink(
  config: SyncEngineConfig,
  environment: Environment,
  token: () => string | null,
  handlers: LinkHandlers,
  backoff: Backoff,
): Link {
  const dial = dialFor(config, environment, token, () => handlers.misses());
  if (dial !== null) return new Connection(dial, handlers, environment.clock, backoff);
  return new Poller(environment.clock, config.pollInterval ?? POLL_INTERVAL_MS, () => handlers.beat());
}

/** Null where the host has no such channel, or polling was asked for. */
function dialFor(
  config: SyncEngineConfig,
  environment: Environment,
  token: () => string | null,
  misses: () => Promise<boolean>,
): Dial | null {
  const { baseUrl, transport = "websocket", wsUrl, sseUrl } = config;
  const { WebSocket: Socket, clock } = environment;
  switch (transport) {
    case "websocket":
      if (Socket === undefined) return null;
      return watched(dialWebSocket(Socket, wsUrl ?? webSocketUrl(baseUrl), token), clock, misses);
    case "sse":
      return dialEvents(environment, sseUrl ?? eventStreamUrl(baseUrl), token, misses);
    case "poll":
      return null;
    default:
      return transport satisfies never;
  }
}
