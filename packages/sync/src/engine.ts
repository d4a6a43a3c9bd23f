/**
 * The sync engine: wires store, write queue, change feed, pusher, identity and live connection together.
 *
 * Holds no rules of its own beyond who is told what, and when: the connection's opening asks the feed to catch
 * up and the pusher to send; a change of identity empties the replica and opens a new connection; an accepted
 * write that no event confirms is confirmed by a pull.
 */

import { Aliases } from "./aliases.ts";
import { Backoff } from "./backoff.ts";
import type { Cancel } from "./clock.ts";
import type { HydrationData, SyncEngineConfig } from "./config.ts";
import { CrdtSubscriptions } from "./crdt.ts";
import { databaseName } from "./database.ts";
import { appNameOf, type Device, deviceFor } from "./device.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import { ChangeFeed } from "./feed.ts";
import { HttpClient, type RequestOptions, withDeadline } from "./http.ts";
import { tokenOwner } from "./identity.ts";
import { Ids } from "./ids.ts";
import { type Link, makeLink } from "./link.ts";
import { Listeners } from "./listeners.ts";
import { LiveClient } from "./live.ts";
import { parseServerMessage, type PresenceMessage, type RoomEvent } from "./messages.ts";
import { MutationQueue } from "./mutations.ts";
import { Ownership } from "./ownership.ts";
import { InfiniteQuery, loadPage, type Order, type Page, type PageOptions } from "./pages.ts";
import type { ClientChange, ResolvedSession, Row, SyncCursor } from "./protocol.ts";
import { Pusher } from "./push.ts";
import { Relays } from "./relays.ts";
import { Replica, savedRows } from "./replica.ts";
import { SharedQueue } from "./shared-queue.ts";
import type { SyncStatus } from "./status.ts";
import { defaultStorage, type Storage, tokenKey } from "./storage.ts";
import { LocalStore } from "./store.ts";
import { noLock } from "./tabs.ts";
import type { ConnectionState } from "./transport.ts";

/** How long an accepted write may wait for its event before a pull is made to look for it. */
export const CONFIRM_WITHIN_MS = 2_000;

/** How long an answer to the engine's own requests may take; the largest are pages of rows on slow links. */
export const ANSWER_WITHIN_MS = 60_000;

/** What a 429 adds to the attempts that the connection's backoff counts. */
const RATE_LIMIT_PENALTY = 3;

export class SyncEngine {
  readonly store: LocalStore;
  readonly mutations: MutationQueue;
  readonly storage: Storage;
  readonly clientId: string;

  readonly #config: SyncEngineConfig;
  readonly #environment: Environment;
  readonly #ids: Ids;
  readonly #http: HttpClient;
  readonly #replica: Replica | null;
  readonly #queue: SharedQueue;
  readonly #ownership: Ownership;
  readonly #feed: ChangeFeed;
  readonly #pusher: Pusher;
  readonly #backoff: Backoff;
  readonly #link: Link;
  readonly #relays: Relays;
  readonly #crdt: CrdtSubscriptions;
  readonly #binaryHandlers = new Listeners<[Uint8Array]>();

  #live: LiveClient | null = null;
  #running = false;
  #loaded: Promise<void> | null = null;
  #cancelConfirmation: Cancel | null = null;

  constructor(config: SyncEngineConfig, environment: Environment = systemEnvironment()) {
    this.#config = config;
    this.#environment = environment;
    this.storage = config.storage ?? defaultStorage();
    this.#ids = new Ids(environment.clock, environment.random);
    this.clientId = this.#ids.client(this.storage);
    const aliases = new Aliases();
    this.store = new LocalStore(this.#ids, aliases);
    this.mutations = new MutationQueue(null, this.#ids, aliases, this.clientId);
    this.mutations.changeOwner(tokenOwner(this.#token()));
    this.#http = new HttpClient(config.baseUrl, environment.fetch, () => this.#token());
    const device = deviceFor(config, environment, this.storage, this.#ids);
    this.#replica = device === null ? null : this.#makeReplica(device);
    this.#queue = this.#makeQueue();
    this.#ownership = this.#makeOwnership();
    this.#feed = this.#makeFeed();
    this.#pusher = this.#makePusher(device);
    this.#backoff = this.#newBackoff();
    this.#link = this.#makeLink();
    const send = (text: string): boolean => this.#link.send(text);
    this.#relays = new Relays({ send, owner: () => this.#ownership.owner });
    this.#crdt = new CrdtSubscriptions(send);
  }

  /** Load what was saved, fetch what is new, then stay connected. Does nothing when already started. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#live?.start();
    if (this.#replica !== null) this.#queue.start();
    this.#replica?.start();
    await (this.#loaded ??= this.#ownership.load());
    await this.pull();
    if (this.#running) this.#link.start();
  }

  /** Disconnect and cancel every timer. What is queued stays, and `start` goes on from here. */
  stop(): void {
    this.#running = false;
    this.#link.stop();
    this.#live?.stop();
    this.#queue.stop();
    this.#replica?.stop();
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

  /** Fetch what is new. Never rejects; how it went is in `status`, and a failure is retried later. */
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

  /**
   * One request to the server, with our token, JSON both ways. Rejects with `HttpError` when the server refuses, and
   * with whatever `fetch` throws when nobody answered. `T` is the caller's word.
   */
  request<T = unknown>(path: string, options?: RequestOptions): Promise<T>;
  request(path: string, options: RequestOptions = {}): Promise<unknown> {
    return this.#http.request(path, options);
  }

  /** Rows beside the replica; rejects when the server refuses. */
  loadPage<T = Row>(entity: string, options?: PageOptions): Promise<Page<T>>;
  loadPage(entity: string, options: PageOptions = {}): Promise<Page> {
    return loadPage(this.#http, entity, options);
  }

  createInfiniteQuery<T = Row>(
    entity: string,
    options: { pageSize?: number | undefined; order?: Order | undefined } = {},
  ): InfiniteQuery<T> {
    const { pageSize: limit = 20, order } = options;
    return new InfiniteQuery<T>((offset) => this.loadPage<T>(entity, { limit, offset, order }));
  }

  /** Live queries as whom this engine speaks. They have a socket of their own, opened with the first query. */
  get live(): LiveClient {
    if (this.#live === null) {
      const { baseUrl, wsUrl, reconnectDelay } = this.#config;
      this.#live = new LiveClient({ baseUrl, wsUrl, reconnectDelay, token: () => this.#token() }, this.#environment);
    }
    return this.#live;
  }

  getCursor(): SyncCursor {
    return { last_seq: this.#feed.cursor };
  }

  /** How it stands with the replica; the same object until something in it changes. */
  get status(): SyncStatus {
    return this.#feed.status.current;
  }

  /** Call `listener` on every change of `status`; returns the way to stop. */
  onStatus(listener: () => void): () => void {
    return this.#feed.status.subscribe(listener);
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
    return this.#ownership.session;
  }

  /** Ask the server who we are; another identity or tenant starts the replica afresh. Never rejects. */
  refreshResolvedSession(): Promise<void> {
    return this.#ownership.refresh();
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

  /** Tell others where we are: now, or when connected, and again on every new connection of the same user. */
  setPresence(data: Row): void {
    this.#relays.setPresence(data);
  }

  /** Dropped when not connected. */
  publishTopic(topic: string, data: unknown): void {
    this.#relays.publish(topic, data);
  }

  /** Hear of others' presence, and of connections that ended; returns the way to stop. */
  onPresence(listener: (message: PresenceMessage) => void): () => void {
    return this.#relays.onPresence(listener);
  }

  /** Hear what is published on a topic, by whom; returns the way to stop. */
  onTopic(topic: string, listener: (data: unknown, from: string | null) => void): () => void {
    return this.#relays.onTopic(topic, listener);
  }

  /** Hear what happens in the rooms we are in; returns the way to stop. */
  onRoomEvent(listener: (event: RoomEvent) => void): () => void {
    return this.#relays.onRoomEvent(listener);
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
    return this.#config.token ?? this.storage.get(tokenKey(appNameOf(this.#config)));
  }

  #newBackoff(): Backoff {
    return new Backoff(this.#config.reconnectDelay ?? 1000, this.#environment.random);
  }

  #makeReplica({ persistence, shared }: Device): Replica {
    const hooks = {
      cursor: () => this.#feed.cursor,
      resumeAt: (seq: number) => this.#feed.resumeAt(seq),
      queueSaved: () => this.#queue.announce(),
    };
    return new Replica(persistence, shared, this.store, this.mutations, hooks, this.#environment.clock);
  }

  #makeQueue(): SharedQueue {
    const hooks = { push: () => void this.#pushPending(), confirm: () => this.#confirm(0) };
    return new SharedQueue(this.mutations, this.store, hooks, this.#environment, databaseName(appNameOf(this.#config)));
  }

  #makeOwnership(): Ownership {
    return new Ownership(this.#replica, this.#queue, {
      token: () => this.#token(),
      probe: () => this.#ask("/api/auth/me"),
      forget: () => this.#feed.forget(),
      reconnect: () => {
        this.#link.restart();
        this.#live?.notifySessionChanged();
      },
      identified: () => this.#relays.identified(),
      changed: () => this.store.notify(),
    });
  }

  #makeFeed(): ChangeFeed {
    const hooks = {
      get: (path: string) => this.#askAsOurselves(path),
      beforePull: () => this.#ownership.identify(),
      cursorMoved: (seq: number) => this.#replica?.cursorMoved(seq),
      forgotten: () => this.#replica?.forgotten(),
      rateLimited: () => this.#backoff.penalise(RATE_LIMIT_PENALTY),
    };
    return new ChangeFeed(this.store, hooks, this.#environment.clock, this.#newBackoff());
  }

  #makePusher(device: Device | null): Pusher {
    const hooks = {
      post: (path: string, body: unknown) => this.#askAsOurselves(path, body),
      beforePush: () => this.#ownership.requireIdentity(),
      signedIn: () => this.#ownership.signedIn,
      notAsUs: () => void this.#ownership.refresh(),
      refreshQueue: () => this.#queue.refresh(),
      accepted: (seq: number) => this.#confirm(seq),
    };
    const { mutations, store, clientId } = this;
    const lock = device?.pushLock ?? noLock;
    return new Pusher(mutations, store, hooks, clientId, this.#environment.clock, this.#newBackoff(), lock);
  }

  #makeLink(): Link {
    const handlers = {
      opened: () => {
        this.#crdt.resend();
        this.#relays.opened();
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
      beat: () => {
        void this.#pushPending();
        void this.pull();
      },
    };
    return makeLink(this.#config, this.#environment, () => this.#token(), handlers, this.#backoff);
  }

  #receive(text: string): void {
    const message = parseServerMessage(text);
    if (message.type === "change") this.#feed.receive(message.event);
    else if (message.type !== "ignored" && this.#relays.heard(message)) this.store.notify();
  }

  /** A request of the engine's own, given up when nobody answers: all that comes after it waits. */
  #ask(path: string, body?: unknown): Promise<unknown> {
    const { clock } = this.#environment;
    return withDeadline(clock, ANSWER_WITHIN_MS, (signal) => this.#http.request(path, { body, signal }));
  }

  /** A request for the replica or the queue: never with a token that nobody has looked at. */
  async #askAsOurselves(path: string, body?: unknown): Promise<unknown> {
    this.#ownership.requireSameToken();
    return this.#ask(path, body);
  }

  async #pushPending(): Promise<void> {
    if (this.mutations.pending().length > 0) await this.push();
  }

  /** Changes up to `seq` are stored: they need no proof that we have, and the others get some time. */
  #confirm(seq: number): void {
    if (this.#feed.cursor >= seq) this.store.reached(seq);
    if (this.store.acknowledged().length === 0 || this.#cancelConfirmation !== null) return;
    this.#cancelConfirmation = this.#environment.clock.after(CONFIRM_WITHIN_MS, () => {
      this.#cancelConfirmation = null;
      if (this.store.acknowledged().length > 0) void this.pull();
    });
  }
}
