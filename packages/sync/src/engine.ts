/**
 * The sync engine: wires store, write queue, change feed, pusher, session and live connection together.
 *
 * What outlives a reload is the replica's business (replica.ts).
 *
 * Holds no rules of its own beyond who is told what, and when: the connection's opening asks the feed to catch
 * up and the pusher to send; a change of identity empties the replica and opens a new connection; an accepted
 * write that no event confirms is confirmed by a pull.
 */

import { Aliases } from "./aliases.ts";
import { Backoff } from "./backoff.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { HydrationData, SyncEngineConfig } from "./config.ts";
import { CrdtSubscriptions } from "./crdt.ts";
import { databaseName } from "./database.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import { ChangeFeed } from "./feed.ts";
import { HttpClient } from "./http.ts";
import { sessionOwner, tokenOwner } from "./identity.ts";
import { Ids } from "./ids.ts";
import { IndexedDBPersistence } from "./indexeddb.ts";
import { Listeners } from "./listeners.ts";
import { MutationQueue } from "./mutations.ts";
import { InfiniteQuery, loadPage, type Order, type Page, type PageOptions } from "./pages.ts";
import { Poller } from "./poller.ts";
import {
  type ClientChange,
  parseServerMessage,
  type ResolvedSession,
  type Row,
  type SyncCursor,
} from "./protocol.ts";
import { Pusher } from "./push.ts";
import { Replica, savedRows } from "./replica.ts";
import { Session } from "./session.ts";
import { SharedQueue } from "./shared-queue.ts";
import { SoleReplicaPersistence } from "./sole-persistence.ts";
import { defaultStorage, type Storage, tokenKey } from "./storage.ts";
import { LocalStore } from "./store.ts";
import { LeaseLock, noLock, type PushLock, webLock } from "./tabs.ts";
import { Connection, type ConnectionState, type Dial, dialEventStream, dialWebSocket } from "./transport.ts";
import { eventStreamUrl, webSocketUrl } from "./urls.ts";

/** How long an accepted write may wait for its event before a pull is made to look for it. */
export const CONFIRM_WITHIN_MS = 2_000;

/** What a 429 adds to the attempts that the connection's backoff counts. */
const RATE_LIMIT_PENALTY = 3;

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
  readonly #replica: Replica | null;
  readonly #queue: SharedQueue;
  readonly #pushLock: PushLock;

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
    const aliases = new Aliases();
    this.store = new LocalStore(this.#ids, aliases);
    this.mutations = new MutationQueue(null, this.#ids, aliases, this.clientId);
    this.mutations.changeOwner(tokenOwner(this.#token()));
    const database = this.#sharedDatabase();
    this.#replica = this.#makeReplica(database);
    this.#pushLock = this.#makePushLock(database);
    this.#queue = this.#makeQueue();
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
    if (this.#replica !== null) this.#queue.start();
    await (this.#loaded ??= this.#load());
    await this.pull();
    if (this.#running) this.#link.start();
  }

  /** Disconnect and cancel every timer. What is queued stays, and `start` goes on from here. */
  stop(): void {
    this.#running = false;
    this.#link.stop();
    this.#queue.stop();
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

  get #appName(): string {
    return this.#config.appName ?? "default";
  }

  #token(): string | null {
    return this.#config.token ?? this.storage.get(tokenKey(this.#appName));
  }

  /** The database that tabs share; null where there is none, or the app keeps the replica itself. */
  #sharedDatabase(): IndexedDBPersistence | null {
    const { persistence, persist = true } = this.#config;
    const { indexedDB } = this.#environment;
    if (!persist || persistence !== undefined || indexedDB === undefined) return null;
    return new IndexedDBPersistence(this.#appName, () => indexedDB);
  }

  #makeReplica(database: IndexedDBPersistence | null): Replica | null {
    const { persist = true } = this.#config;
    const persistence = database ?? (persist ? this.#config.persistence : undefined);
    if (persistence === undefined) return null;
    const shared = persistence.shared ?? new SoleReplicaPersistence(persistence, this.storage, this.#appName);
    return new Replica(persistence, shared, this.store, this.mutations, {
      cursor: () => this.#feed.cursor,
      resumeAt: (seq) => this.#feed.resumeAt(seq),
      queueSaved: () => this.#queue.announce(),
    });
  }

  #makeQueue(): SharedQueue {
    const hooks = {
      push: () => void this.#pushPending(),
      confirm: () => this.#confirm(0),
    };
    const name = databaseName(this.#appName);
    return new SharedQueue(this.mutations, this.store, hooks, this.#environment, name);
  }

  #makePushLock(database: IndexedDBPersistence | null): PushLock {
    const { locks } = this.#environment;
    if (database === null) return noLock;
    if (locks !== undefined) return webLock(locks, `${databaseName(this.#appName)}:push`);
    return new LeaseLock(database, this.#ids.operation(), this.#clock);
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
        this.#replica?.unbind();
        this.#queue.becomeOwner(tokenOwner(this.#token()));
        this.#link.restart();
      },
      identified: () => this.#takeOver(this.#session.current),
      changed: () => this.store.notify(),
    });
  }

  #makeFeed(): ChangeFeed {
    const hooks = {
      get: (path: string) => this.#http.get(path),
      beforePull: () => this.#identify(),
      cursorMoved: (seq: number) => this.#replica?.cursorMoved(seq),
      forgotten: () => this.#replica?.forgotten(),
      rateLimited: () => this.#backoff.penalise(RATE_LIMIT_PENALTY),
    };
    return new ChangeFeed(this.store, hooks, this.#clock, this.#newBackoff());
  }

  #makePusher(): Pusher {
    const hooks = {
      post: (path: string, body: unknown) => this.#http.post(path, body),
      beforePush: async () => {
        await this.#identify();
        if (!this.#session.known) throw new Error("it is not known as whom to push");
      },
      refreshQueue: () => this.#queue.refresh(),
      accepted: (seq: number) => this.#confirm(seq),
    };
    const backoff = this.#newBackoff();
    return new Pusher(this.mutations, this.store, hooks, this.clientId, this.#clock, backoff, this.#pushLock);
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

  /** Read what was saved; what is ours is shown as soon as it is known to be. */
  async #load(): Promise<void> {
    if (this.#replica === null) return;
    const token = this.#token();
    const queued = await this.#replica.open();
    this.#queue.show(queued);
    if (token !== null) await this.#assume(token);
  }

  /** Take us for whom the saved replica belongs to, if `token` says no other. */
  async #assume(token: string | null): Promise<void> {
    const saved = this.#replica?.savedSession(token) ?? null;
    if (saved === null) return;
    this.#session.assume(saved);
    this.#takeOver(saved);
    await this.#replica?.whenBound();
  }

  async #identify(): Promise<void> {
    await this.#session.identify();
    // Without a token only the server can say who we are; while it cannot be reached, we are who we were.
    if (!this.#session.seen && this.#token() === null) await this.#assume(null);
    await this.#replica?.whenBound();
  }

  #takeOver(session: ResolvedSession): void {
    this.#queue.becomeOwner(sessionOwner(session));
    void this.#replica?.bind(session, this.#token());
  }
}
