/**
 * Live queries: answers of the server that it keeps up to date, beside the replica.
 *
 * They have a socket of their own, because one that asks live queries hears nothing else. It is open while there are
 * queries. Identical ones share a subscription, which ends a moment after its last handle was closed: a component
 * that is mounted again at once finds its rows.
 */

import { Backoff, RetryTimer } from "./backoff.ts";
import type { Cancel, Clock } from "./clock.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import { Listeners } from "./listeners.ts";
import {
  type LiveDiff,
  type LiveQuerySpec,
  parseLiveMessage,
  subscribeMessage,
  unsubscribeMessage,
} from "./live-protocol.ts";
import { type LiveQueryError, type LiveQueryState, LiveSubscription } from "./live-subscription.ts";
import { isRow, type Row } from "./protocol.ts";
import { defaultStorage, type Storage, tokenKey } from "./storage.ts";
import { watched } from "./liveness.ts";
import { Connection, type ConnectionState, dialWebSocket } from "./transport.ts";
import { webSocketUrl } from "./urls.ts";
import { Wakeups } from "./wakeups.ts";

/** How long a subscription outlives its last handle. */
export const LINGER_MS = 1_000;

export interface LiveClientOptions {
  /** Fixed, or looked up for every connection; without it the app's own in `storage`. */
  token?: string | (() => string | null) | undefined;
  appName?: string | undefined;
  storage?: Storage | undefined;
  /** Where the WebSocket is; derived from the base URL when absent. */
  wsUrl?: string | undefined;
  /** Milliseconds the reconnect backoff starts from. */
  reconnectDelay?: number | undefined;
}

/** One use of a live query. */
export interface LiveQuery<T = Row> extends LiveQueryState<T> {
  /** All of the state as one value, the same until something in it changes. */
  readonly snapshot: LiveQueryState<T>;
  /** Call `listener` on every change; returns the way to stop. */
  subscribe(listener: () => void): () => void;
  /** Let go of it; the last one to do so ends the subscription. */
  close(): void;
}

/** A subscription and those who use it. */
interface Shared {
  readonly key: string;
  readonly spec: LiveQuerySpec;
  readonly subscription: LiveSubscription;
  /** Its name on the socket. */
  id: string;
  handles: number;
  cancelEnd: Cancel | null;
  /** Asks again after an error that may pass. */
  readonly retry: RetryTimer;
}

/** Errors of a server that may answer later. */
const PASSING_CODES: ReadonlySet<string> = new Set(["INTERNAL", "NOT_AVAILABLE", "RATE_LIMITED"]);

export class LiveClient {
  readonly #clock: Clock;
  readonly #newBackoff: () => Backoff;
  /** Null where the host has no WebSocket. */
  readonly #connection: Connection | null;
  readonly #wakeups: Wakeups;
  /** By what is asked. */
  readonly #queries = new Map<string, Shared>();
  #token: string | null | undefined;
  #running = true;
  #count = 0;

  constructor(options: LiveClientOptions & { baseUrl: string }, environment: Environment = systemEnvironment()) {
    const { baseUrl, wsUrl = webSocketUrl(baseUrl), reconnectDelay = 1000 } = options;
    const { WebSocket: Socket, clock, random } = environment;
    const token = tokenSource(options);
    this.#clock = clock;
    this.#newBackoff = () => new Backoff(reconnectDelay, random);
    this.#wakeups = new Wakeups(environment, () => this.#connection?.wake());
    if (Socket === undefined) {
      this.#connection = null;
      return;
    }
    const handlers = {
      opened: () => this.#each((shared) => this.#ask(shared)),
      text: (text: string) => this.#receive(text),
      binary: () => undefined,
      lost: () => this.#each(disconnected),
    };
    const dial = dialWebSocket(Socket, wsUrl, () => this.#speakAs(token()));
    // Servers that keep live queries answer pings, so a channel without an answer is dead.
    const live = watched(dial, clock, async () => true);
    this.#connection = new Connection(live, handlers, clock, this.#newBackoff());
  }

  /** The rows of the query, kept up to date until it is closed. `T` is the caller's word. */
  query<T = Row>(spec: LiveQuerySpec): LiveQuery<T> {
    const shared = this.#share(spec);
    shared.cancelEnd?.();
    shared.cancelEnd = null;
    shared.handles += 1;
    if (this.#running) this.#connect();
    return new LiveQueryHandle<T>(shared.subscription, () => this.#release(shared));
  }

  get connection(): ConnectionState {
    return this.#connection?.state ?? { kind: "idle" };
  }

  /** Call `listener` on every change of `connection`; returns the way to stop. */
  subscribeConnection(listener: () => void): () => void {
    return this.#connection?.subscribe(listener) ?? (() => undefined);
  }

  /** Say that the app changed the token or the tenant: rows are taken away, and asked for anew. */
  notifySessionChanged(): void {
    this.#each(({ subscription }) => subscription.forget());
    this.#connection?.restart();
  }

  /** Say that there is a network again: there is no waiting for the next attempt then. Pages notice by themselves. */
  wake(): void {
    this.#wakeups.happened();
  }

  /** Go on after `stop`; a client begins started. */
  start(): void {
    this.#running = true;
    if (this.#queries.size > 0) this.#connect();
  }

  /** Close the socket. Queries keep their rows, and `start` goes on with them. */
  stop(): void {
    this.#running = false;
    this.#disconnect();
    for (const shared of [...this.#queries.values()]) if (shared.handles === 0) this.#end(shared);
    this.#each(disconnected);
  }

  #share(spec: LiveQuerySpec): Shared {
    const key = keyOf(spec);
    const known = this.#queries.get(key);
    if (known !== undefined) return known;
    const subscription = new LiveSubscription();
    const retry = new RetryTimer(this.#clock, this.#newBackoff(), () => this.#ask(shared));
    const shared: Shared = { key, spec, subscription, id: this.#nextId(), handles: 0, cancelEnd: null, retry };
    this.#queries.set(key, shared);
    if (this.#connection === null) subscription.refused("NOT_SUPPORTED", "This host has no WebSocket.");
    else this.#ask(shared);
    return shared;
  }

  #release(shared: Shared): void {
    shared.handles -= 1;
    if (shared.handles > 0) return;
    if (this.#running) shared.cancelEnd = this.#clock.after(LINGER_MS, () => this.#end(shared));
    else this.#end(shared);
  }

  #end(shared: Shared): void {
    shared.cancelEnd?.();
    shared.retry.cancel();
    this.#queries.delete(shared.key);
    this.#connection?.send(unsubscribeMessage(shared.id));
    if (this.#queries.size === 0) this.#disconnect();
  }

  #connect(): void {
    this.#connection?.start();
    this.#wakeups.start();
  }

  #disconnect(): void {
    this.#connection?.stop();
    this.#wakeups.stop();
  }

  /** Only an open connection takes it; the others are asked when it opens. */
  #ask({ id, spec }: Shared): void {
    this.#connection?.send(subscribeMessage(id, spec));
  }

  #receive(text: string): void {
    const message = parseLiveMessage(text);
    if (message === null) return;
    if (message.type === "live-diff") return this.#changed(message);
    const shared = [...this.#queries.values()].find(({ id }) => id === message.id);
    if (shared === undefined) return;
    if (message.type === "live-rows") {
      shared.retry.succeeded();
      shared.subscription.answered(message);
    } else {
      shared.subscription.refused(message.code, message.message);
      if (PASSING_CODES.has(message.code)) shared.retry.failed();
    }
  }

  #changed(diff: LiveDiff): void {
    for (const shared of [...this.#queries.values()]) {
      if (shared.subscription.query !== diff.query || shared.subscription.changed(diff)) continue;
      // It is no change of the rows that we have. Under another name, so that an answer still to come is not taken.
      this.#connection?.send(unsubscribeMessage(shared.id));
      shared.id = this.#nextId();
      shared.subscription.askedAnew();
      this.#ask(shared);
    }
  }

  /** The token for a new connection; with another one than before, what was answered is not ours to see. */
  #speakAs(token: string | null): string | null {
    if (this.#token !== undefined && this.#token !== token) this.#each(({ subscription }) => subscription.forget());
    this.#token = token;
    return token;
  }

  #nextId(): string {
    this.#count += 1;
    return `q${this.#count}`;
  }

  #each(action: (shared: Shared) => void): void {
    for (const shared of [...this.#queries.values()]) action(shared);
  }
}

/** Live queries of the server at `baseUrl`. Connects with the first query. */
export function createLiveClient(baseUrl = "http://localhost:4321", options: LiveClientOptions = {}): LiveClient {
  return new LiveClient({ ...options, baseUrl });
}

function disconnected({ subscription, retry }: Shared): void {
  retry.cancel();
  subscription.disconnected();
}

class LiveQueryHandle<T> implements LiveQuery<T> {
  readonly #subscription: LiveSubscription;
  readonly #listeners = new Listeners();
  #release: (() => void) | null;

  constructor(subscription: LiveSubscription, release: () => void) {
    const stopListening = subscription.subscribe(() => this.#listeners.call());
    this.#subscription = subscription;
    this.#release = () => {
      stopListening();
      release();
    };
  }

  get snapshot(): LiveQueryState<T> {
    return this.#subscription.state as LiveQueryState<T>;
  }

  get rows(): readonly T[] {
    return this.snapshot.rows;
  }

  get loading(): boolean {
    return this.snapshot.loading;
  }

  get error(): LiveQueryError | null {
    return this.snapshot.error;
  }

  get complete(): boolean {
    return this.snapshot.complete;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#release?.();
    this.#release = null;
  }
}

function tokenSource({ token, appName = "default", storage = defaultStorage() }: LiveClientOptions): () => string | null {
  if (typeof token === "function") return token;
  return () => token ?? storage.get(tokenKey(appName));
}

/** The same for queries that ask the same. The order of `order`'s members is meant, that of others is not. */
function keyOf({ entity, where, order, limit }: LiveQuerySpec): string {
  return JSON.stringify([entity, sorted(where), Object.entries(order ?? {}), limit ?? null]);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRow(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}
