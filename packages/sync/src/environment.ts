/**
 * The outside world as one value, and the only module that names the real one.
 *
 * Every class takes what it needs of this through its constructor; these are the defaults behind
 * `createSyncEngine` and behind constructors called without them.
 */

import type { Clock, Random } from "./clock.ts";
import { Ids } from "./ids.ts";
import { pageWakeups } from "./wakeups.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The part of a browser's WebSocket that the client uses. */
export type Socket = Pick<WebSocket, "binaryType" | "send" | "close" | "onopen" | "onmessage" | "onclose">;
export type SocketConstructor = new (url: string, protocols?: string[]) => Socket;

/** The part of a browser's EventSource that the client uses. */
export type EventStream = Pick<EventSource, "close" | "onopen" | "onmessage" | "onerror">;
export type EventStreamConstructor = new (url: string) => EventStream;

/** The part of the Web Locks API that the client uses. */
export interface LockRequester {
  request(name: string, action: () => Promise<void>): Promise<void>;
}

export interface Environment {
  fetch: Fetch;
  /** Undefined where the host has none; then that transport cannot be used. */
  WebSocket: SocketConstructor | undefined;
  EventSource: EventStreamConstructor | undefined;
  /** Whether the body of an answer of `fetch` can be read as it comes. */
  streamingFetch?: boolean | undefined;
  /** Where the replica is kept; without it, in memory. */
  indexedDB?: IDBFactory | undefined;
  /** How tabs on one database take turns and tell each other; without them, a lease and the next push. */
  locks?: LockRequester | undefined;
  BroadcastChannel?: (new (name: string) => BroadcastChannel) | undefined;
  /** Calls `wake` when waiting makes no sense any more; returns the way to stop. */
  wakeups?: ((wake: () => void) => () => void) | undefined;
  clock: Clock;
  random: Random;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

export function systemIds(): Ids {
  return new Ids(systemClock, Math.random);
}

export function systemEnvironment(): Environment {
  return {
    fetch: (url, init) => globalThis.fetch(url, init),
    WebSocket: globalThis.WebSocket,
    EventSource: globalThis.EventSource,
    streamingFetch: typeof globalThis.Response === "function" && "body" in globalThis.Response.prototype,
    indexedDB: globalThis.indexedDB,
    locks: systemLocks(),
    BroadcastChannel: globalThis.BroadcastChannel,
    wakeups: (wake) => pageWakeups(globalThis, systemClock, wake),
    clock: systemClock,
    random: Math.random,
  };
}

/** Browsers have none on pages that came without TLS, other hosts none at all. */
function systemLocks(): LockRequester | undefined {
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  return locks === undefined ? undefined : { request: (name, action) => locks.request(name, action) };
}
