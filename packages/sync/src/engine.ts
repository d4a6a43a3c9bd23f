/**
 * The sync engine: wires store, write queue, change feed, pusher, session and live connection together.
 *
 * Holds no rules of its own beyond who is told what, and when: the connection's opening asks the feed to catch
 * up and the pusher to send; a change of identity empties the replica and opens a new connection; an accepted
 * write that no event confirms is confirmed by a pull.
 */

import { Backoff } from "./backoff.ts";
import type { Cancel, Clock } from "./clock.ts";
import { CrdtSubscriptions } from "./crdt.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import { ChangeFeed } from "./feed.ts";
import { HttpClient } from "./http.ts";
import { Ids } from "./ids.ts";
import { Listeners } from "./listeners.ts";
import { MutationQueue } from "./mutations.ts";
import { InfiniteQuery, loadPage, type Order, type Page, type PageOptions } from "./pages.ts";
import { DiskWriter, type ReplicaPersistence } from "./persistence.ts";
import { Poller } from "./poller.ts";
import {
  type ChangeEvent,
  type ClientChange,
  parseServerMessage,
  type ResolvedSession,
  type Row,
  type SyncCursor,
} from "./protocol.ts";
import { Pusher } from "./push.ts";
import { Session } from "./session.ts";
import { defaultStorage, type Storage, tokenKey } from "./storage.ts";
import { LocalStore } from "./store.ts";
import { Connection, type ConnectionState, type Dial, dialEventStream, dialWebSocket } from "./transport.ts";
import { eventStreamUrl, webSocketUrl } from "./urls.ts";

/** How long an accepted write may wait for its event before a pull is made to look for it. */
export const CONFIRM_WITHIN_MS = 2_000;

/** What a 429 adds to the attempts that the connection's backoff counts. */
const RATE_LIMIT_PENALTY = 3;

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
  /** Keeps the replica across reloads; in memory only when absent. */
  persistence?: ReplicaPersistence | undefined;
}

export interface HydrationData {
  entities: Record<string, Row[]>;
  cursor?: SyncCursor | undefined;
}

/** What keeps the replica up to date: a connection, or polling. */
type Link = Pick<Connection, "state" | "start" | "stop" | "restart" | "send" | "subscribe">;

export class SyncEngine {
  readonly store: LocalStore;
  readonly mutations: MutationQueue;
  readonly storage: Storage;
  readonly clientId: string;

  readonly #config: SyncEngineConfig;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #http: HttpClient;
  readonly #session: Session;
  readonly #feed: ChangeFeed;
  readonly #pusher: Pusher;
  readonly #backoff: Backoff;
  readonly #link: Link;
  readonly #crdt: CrdtSubscriptions;
  readonly #binaryHandlers = new Listeners<[Uint8Array]>();
  readonly #disk: DiskWriter | null;

  #running = false;
  #loaded: Promise<void> | null = null;
  #cancelConfirmation: Cancel | null = null;

  constructor(config: SyncEngineConfig, environment: Environment = systemEnvironment()) {
    this.#config = config;
    this.#environment = environment;
    this.#clock = environment.clock;
    this.storage = config.storage ?? defaultStorage();
    this.#ids = new Ids(environment.clock, environment.random);
    this.clientId = this.#ids.client(this.storage);
    this.store = new LocalStore(this.#ids);
    this.mutations = new MutationQueue(null, this.#ids);
    this.#disk = config.persistence === undefined ? null : new DiskWriter(config.persistence);
    this.#http = new HttpClient(config.baseUrl, environment.fetch, () => this.#token());
    this.#session = this.#makeSession();
    this.#feed = this.#makeFeed();
    this.#pusher = this.#makePusher();
    this.#backoff = this.#newBackoff();
    this.#link = this.#makeLink();
    this.#crdt = new CrdtSubscriptions((text) => this.#link.send(text));
  }

  /** Load what was saved, fetch what is new, then stay connected. Does nothing when already started. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await (this.#loaded ??= this.#load());
    await this.pull();
    if (this.#running) this.#link.start();
  }

  /** Disconnect and cancel every timer. What is queued stays, and `start` goes on from here. */
  stop(): void {
    this.#running = false;
    this.#link.stop();
    this.#feed.stop();
    this.#pusher.stop();
    this.#cancelConfirmation?.();
    this.#cancelConfirmation = null;
  }

  /** Show rows that came with the page; call before `start`. A saved cursor overrides the one given. */
  hydrate(data: HydrationData): void {
    this.store.applyChanges(savedRows(data.entities));
    if (data.cursor !== undefined) this.#feed.resumeAt(data.cursor.last_seq);
  }

  /** Fetch what is new. Never rejects; a failure is retried later. */
  pull(): Promise<void> {
    return this.#feed.pull();
  }

  /** Send what is queued. Never rejects; what was not settled stays queued. */
  push(): Promise<void> {
    return this.#pusher.push();
  }

  /** Show and queue a new row, then try to send it. Resolves to its id, which is `data.id` if that is given. */
  async insert(entity: string, data: Row): Promise<string> {
    const { id: given, ...fields } = data;
    const rowId = typeof given === "string" && given !== "" ? given : this.#ids.row();
    await this.#write({ entity, row_id: rowId, kind: "insert", data: fields });
    return rowId;
  }

  /** Show and queue a patch; resolves after the attempt to send it, whatever its outcome. */
  async update(entity: string, id: string, patch: Row): Promise<void> {
    await this.#write({ entity, row_id: id, kind: "update", data: patch });
  }

  /** Hide the row and queue its deletion; resolves after the attempt to send it, whatever its outcome. */
  async delete(entity: string, id: string): Promise<void> {
    await this.#write({ entity, row_id: id, kind: "delete" });
  }

  /** Rows beside the replica; rejects when the server refuses. */
  loadPage(entity: string, options: PageOptions = {}): Promise<Page> {
    return loadPage(this.#http, entity, options);
  }

  createInfiniteQuery(
    entity: string,
    options: { pageSize?: number | undefined; order?: Order | undefined } = {},
  ): InfiniteQuery {
    const { pageSize: limit = 20, order } = options;
    return new InfiniteQuery((offset) => this.loadPage(entity, { limit, offset, order }));
  }

  getCursor(): SyncCursor {
    return { last_seq: this.#feed.cursor };
  }

  /** Whether a WebSocket is open. */
  get connected(): boolean {
    return (this.#config.transport ?? "websocket") === "websocket" && this.#link.state.kind === "open";
  }

  get connection(): ConnectionState {
    return this.#link.state;
  }

  /** Call `listener` on every change of `connection`; returns the way to stop. */
  subscribeConnection(listener: () => void): () => void {
    return this.#link.subscribe(listener);
  }

  resolvedSession(): ResolvedSession {
    return this.#session.current;
  }

  /** Ask the server who we are; another identity or tenant starts the replica afresh. Never rejects. */
  refreshResolvedSession(): Promise<void> {
    return this.#session.refresh();
  }

  /** Say that the app changed the token or the tenant. */
  notifySessionChanged(): Promise<void> {
    return this.refreshResolvedSession();
  }

  /** Empty the replica and, when running, fill it again. */
  async resetReplica(): Promise<void> {
    this.#feed.forget();
    if (this.#running) await this.pull();
  }

  /** Dropped when not connected, and not repeated after a reconnect. */
  setPresence(data: Row): void {
    this.#link.send(JSON.stringify({ type: "presence", event: "update", data }));
  }

  /** Dropped when not connected. */
  publishTopic(topic: string, data: unknown): void {
    this.#link.send(JSON.stringify({ type: "topic", topic, data }));
  }

  /** Follow a row's document; its frames come to `onBinaryFrame` handlers. */
  subscribeCrdt(entity: string, rowId: string): void {
    this.#crdt.subscribe({ entity, rowId });
  }

  unsubscribeCrdt(entity: string, rowId: string): void {
    this.#crdt.unsubscribe({ entity, rowId });
  }

  /** Call `handler` with every binary frame; returns the way to stop. */
  onBinaryFrame(handler: (bytes: Uint8Array) => void): () => void {
    return this.#binaryHandlers.add(handler);
  }

  async #write(change: ClientChange): Promise<void> {
    const opId = this.mutations.add(change);
    this.store.applyOptimistic(opId, change);
    await this.push();
  }

  #token(): string | null {
    return this.#config.token ?? this.storage.get(tokenKey(this.#config.appName ?? "default"));
  }

  #newBackoff(): Backoff {
    return new Backoff(this.#config.reconnectDelay ?? 1000, this.#environment.random);
  }

  #makeSession(): Session {
    return new Session({
      token: () => this.#token(),
      probe: () => this.#http.get("/api/auth/me"),
      viewChanged: () => {
        this.#feed.forget();
        this.#link.restart();
      },
      userReplaced: () => this.#dropQueued(),
      changed: () => this.store.notify(),
    });
  }

  #makeFeed(): ChangeFeed {
    const hooks = {
      get: (path: string) => this.#http.get(path),
      beforePull: () => this.#session.identify(),
      cursorMoved: (seq: number) => void this.#disk?.saveCursor(seq),
      forgotten: () => void this.#disk?.clear(),
      rateLimited: () => this.#backoff.penalise(RATE_LIMIT_PENALTY),
    };
    return new ChangeFeed(this.store, hooks, this.#clock, this.#newBackoff());
  }

  #makePusher(): Pusher {
    const hooks = {
      post: (path: string, body: unknown) => this.#http.post(path, body),
      beforePush: async () => {
        await this.#session.identify();
        if (!this.#session.known) throw new Error("it is not known as whom to push");
      },
      accepted: (seq: number) => this.#confirm(seq),
    };
    return new Pusher(this.mutations, this.store, hooks, this.clientId, this.#clock, this.#newBackoff());
  }

  #makeLink(): Link {
    const dial = this.#makeDial();
    if (dial === null) {
      const beat = (): void => {
        void this.#pushPending();
        void this.pull();
      };
      return new Poller(this.#clock, this.#config.pollInterval ?? 1000, beat);
    }
    const handlers = {
      opened: () => {
        this.#crdt.resend();
        this.#feed.linkOpened();
        void this.#pushPending();
      },
      text: (text: string) => this.#receive(text),
      binary: (bytes: Uint8Array) => this.#binaryHandlers.call(bytes),
      lost: (wasOpen: boolean) => {
        this.#feed.linkLost();
        // Where no channel opens at all, pulling at each attempt is the only way to hear anything.
        if (!wasOpen) void this.pull();
      },
    };
    return new Connection(dial, handlers, this.#clock, this.#backoff);
  }

  /** Null where the host has no such channel, or polling was asked for. */
  #makeDial(): Dial | null {
    const { baseUrl, transport = "websocket", wsUrl, sseUrl } = this.#config;
    const { WebSocket: Socket, EventSource: Stream } = this.#environment;
    switch (transport) {
      case "websocket":
        if (Socket === undefined) return null;
        return dialWebSocket(Socket, wsUrl ?? webSocketUrl(baseUrl), () => this.#token());
      case "sse":
        return Stream === undefined ? null : dialEventStream(Stream, sseUrl ?? eventStreamUrl(baseUrl));
      case "poll":
        return null;
      default:
        return transport satisfies never;
    }
  }

  #receive(text: string): void {
    const message = parseServerMessage(text);
    switch (message.type) {
      case "change":
        this.#feed.receive(message.event);
        break;
      case "presence":
        this.store.notify();
        break;
      case "ignored":
        break;
      default:
        message satisfies never;
    }
  }

  async #pushPending(): Promise<void> {
    if (this.mutations.pending().length > 0) await this.push();
  }

  /** Changes up to `seq` are stored: they need no proof that we have, and the others get some time. */
  #confirm(seq: number): void {
    if (this.#feed.cursor >= seq) this.store.reached(seq);
    if (this.store.acknowledged().length === 0 || this.#cancelConfirmation !== null) return;
    this.#cancelConfirmation = this.#clock.after(CONFIRM_WITHIN_MS, () => {
      this.#cancelConfirmation = null;
      if (this.store.acknowledged().length > 0) void this.pull();
    });
  }

  #dropQueued(): void {
    const dropped = this.mutations.pending().map((mutation) => mutation.id);
    for (const id of dropped) this.mutations.remove(id);
    this.store.discard(dropped);
  }

  /** Read the saved replica; what cannot be read leaves the engine in memory, as new. */
  async #load(): Promise<void> {
    const { persistence } = this.#config;
    if (persistence === undefined) return;
    try {
      // Rows without a cursor are of no use: from 0, nobody says which of them have gone meanwhile.
      const seq = (await persistence.loadCursor())?.last_seq ?? 0;
      if (seq === 0) {
        await persistence.clear();
      } else {
        this.store.applyChanges(savedRows(await persistence.loadAllEntities()));
        this.#feed.resumeAt(seq);
      }
    } catch (error) {
      console.warn("pylon: the saved replica could not be read", error);
      return;
    }
    this.store._persistFn = (change) => this.#disk?.saveChange(change) ?? Promise.resolve();
    this.mutations.attachPersistence(persistence.mutations);
    for (const { id, change } of await this.mutations.hydrate()) this.store.applyOptimistic(id, change);
  }
}

/** Rows from somewhere else than the change log, as inserts older than any event. */
function savedRows(entities: Record<string, Row[]>): ChangeEvent[] {
  return Object.entries(entities).flatMap(([entity, rows]) =>
    rows.flatMap((row): ChangeEvent[] => {
      const { id } = row;
      if (typeof id !== "string") return [];
      return [{ seq: 0, entity, row_id: id, kind: "insert", data: row, timestamp: "" }];
    }),
  );
}
