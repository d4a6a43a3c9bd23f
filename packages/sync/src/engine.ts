/**
 * The sync engine: wires store, write queue, change feed, pusher, identity and live connection together.
 *
 * Holds no rules of its own beyond who is told what, and when: the connection's opening asks the feed to catch
 * up and the pusher to send; a change of identity empties the replica and opens a new connection; an accepted
 * write that no event confirms is confirmed by a pull.
 */

import { Aliases } from "./aliases.ts";
import { Backoff } from "./backoff.ts";
import type { HydrationData, SyncEngineConfig } from "./config.ts";
import { Confirmation } from "./confirmation.ts";
import { CrdtSubscriptions } from "./crdt.ts";
import { databaseName } from "./database.ts";
import { appNameOf, type Device, deviceFor } from "./device.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import { ChangeFeed } from "./feed.ts";
import { HttpClient, type RequestOptions, withDeadline } from "./http.ts";
import { tokenOwner } from "./identity.ts";
import { Ids } from "./ids.ts";
import { type Link, makeLink } from "./link.ts";
import { LiveClient } from "./live.ts";
import { parseServerMessage, type PresenceMessage, type RoomEvent } from "./messages.ts";
import { MutationQueue } from "./mutations.ts";
import { Ownership } from "./ownership.ts";
import { InfiniteQuery, type InfiniteQueryOptions, loadPage, type Page, type PageOptions } from "./pages.ts";
import type { ResolvedSession, Row, SyncCursor } from "./protocol.ts";
import { Pusher } from "./push.ts";
import { Relays } from "./relays.ts";
import { Replica, savedRows } from "./replica.ts";
import { SharedQueue } from "./shared-queue.ts";
import type { SyncStatus } from "./status.ts";
import { defaultStorage, type Storage, tokenKey } from "./storage.ts";
import { LocalStore } from "./store.ts";
import { noLock } from "./tabs.ts";
import type { ConnectionState } from "./transport.ts";
import { Unsent } from "./unsent.ts";
import { Wakeups } from "./wakeups.ts";
import { type Created, Writes } from "./writes.ts";

export class SyncEngine {
  readonly store: LocalStore;
  readonly mutations: MutationQueue;
  /** How many writes and edits the server does not have. */
  readonly unsent: Unsent;
  readonly storage: Storage;
  readonly clientId: string;

  readonly #config: SyncEngineConfig;
  readonly #environment: Environment;
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
  readonly #confirmation: Confirmation;
  readonly #writes: Writes;
  readonly #wakeups: Wakeups;

  #live: LiveClient | null = null;
  #running = false;
  #loaded: Promise<void> | null = null;

  constructor(config: SyncEngineConfig, environment: Environment = systemEnvironment()) {
    this.#config = config;
    this.#environment = environment;
    this.storage = config.storage ?? defaultStorage();
    const ids = new Ids(environment.clock, environment.random);
    this.clientId = ids.client(this.storage);
    const aliases = new Aliases();
    this.store = new LocalStore(ids, aliases);
    this.mutations = new MutationQueue(null, ids, aliases, this.clientId);
    this.mutations.changeOwner(tokenOwner(this.#token()));
    this.mutations.openBy(() => this.#load());
    this.unsent = new Unsent(this.mutations);
    this.#http = new HttpClient(config.baseUrl, environment.fetch, () => this.#token());
    const device = deviceFor(config, environment, this.storage, ids);
    this.#replica = device === null ? null : this.#makeReplica(device);
    this.#queue = this.#makeQueue();
    this.#ownership = this.#makeOwnership();
    this.#feed = this.#makeFeed();
    this.#confirmation = new Confirmation(this.store, this.#feed, environment.clock);
    this.#pusher = this.#makePusher(device);
    this.#backoff = this.#newBackoff();
    this.#link = this.#makeLink();
    const send = (text: string): boolean => this.#link.send(text);
    this.#relays = new Relays({ send, owner: () => this.#ownership.owner });
    this.#crdt = new CrdtSubscriptions(send);
    this.#writes = new Writes(ids, this.mutations, this.store, () => this.push());
    this.#wakeups = new Wakeups(environment, () => this.#wake());
  }

  /** Load what was saved, fetch what is new, then stay connected. Does nothing when already started. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#live?.start();
    this.#wakeups.start();
    if (this.#replica !== null) this.#queue.start();
    this.#replica?.start();
    await this.#load();
    await this.pull();
    if (this.#running) this.#link.start();
  }

  /** Disconnect and cancel every timer. What is queued stays, and `start` goes on from here. */
  stop(): void {
    this.#running = false;
    this.#wakeups.stop();
    this.#link.stop();
    this.#live?.stop();
    this.#queue.stop();
    this.#replica?.stop();
    this.#feed.stop();
    this.#pusher.stop();
    this.#confirmation.stop();
  }

  /** Say that there is a network again: there is no waiting for the next attempt then. Pages notice by themselves. */
  wake(): void {
    this.#wakeups.happened();
    this.#live?.wake();
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

  /** Show and queue a new row, then try to send it. Its id, which is `data.id` if that is given, is known at once. */
  create(entity: string, data: Row): Created {
    return this.#writes.create(entity, data);
  }

  /** As `create`; resolves to the id after the attempt to send the row, whatever its outcome. */
  async insert(entity: string, data: Row): Promise<string> {
    const { id, sent } = this.create(entity, data);
    await sent;
    return id;
  }

  /** Show and queue a patch; resolves after the attempt to send it, whatever its outcome. */
  update(entity: string, id: string, patch: Row): Promise<void> {
    return this.#writes.write({ entity, row_id: id, kind: "update", data: patch });
  }

  /** Hide the row and queue its deletion; resolves after the attempt to send it, whatever its outcome. */
  delete(entity: string, id: string): Promise<void> {
    return this.#writes.write({ entity, row_id: id, kind: "delete" });
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

  createInfiniteQuery<T = Row>(entity: string, options: InfiniteQueryOptions = {}): InfiniteQuery<T> {
    const { pageSize: limit, order } = options;
    return new InfiniteQuery<T>((offset) => this.loadPage<T>(entity, { limit, offset, order }));
  }

  /** Live queries as whom this engine speaks. They have a socket of their own, opened with the first query. */
  get live(): LiveClient {
    return (this.#live ??= new LiveClient({ ...this.#config, token: () => this.#token() }, this.#environment));
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
    return this.#crdt.onFrame(handler);
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
    const hooks = { push: () => void this.#pushPending(), confirm: () => this.#confirmation.accepted(0) };
    return new SharedQueue(this.mutations, this.store, hooks, this.#environment, databaseName(appNameOf(this.#config)));
  }

  #makeOwnership(): Ownership {
    return new Ownership(this.#replica, this.#queue, {
      token: () => this.#token(),
      probe: () => this.#ask("/api/auth/me"),
      forget: () => this.#feed.forget({ identity: this.#ownership.status }),
      reconnect: () => {
        this.#link.restart();
        this.#live?.notifySessionChanged();
      },
      identified: () => {
        this.#feed.status.update({ identity: this.#ownership.status });
        this.#relays.identified();
      },
      changed: () => this.store.notify(),
    });
  }

  #makeFeed(): ChangeFeed {
    const hooks = {
      get: (path: string) => this.#askAsOurselves(path),
      beforePull: () => this.#ownership.identify(),
      cursorMoved: (seq: number) => this.#replica?.cursorMoved(seq),
      forgotten: () => this.#replica?.forgotten(),
      rateLimited: () => this.#backoff.rateLimited(),
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
      accepted: (seq: number) => this.#confirmation.accepted(seq),
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
      binary: (bytes: Uint8Array) => this.#crdt.received(bytes),
      lost: (wasOpen: boolean) => {
        this.#feed.linkLost();
        // Where no channel opens at all, pulling at each attempt is the only way to hear anything.
        if (!wasOpen) void this.pull();
      },
      beat: () => {
        void this.#pushPending();
        void this.pull();
      },
      misses: () => this.#feed.misses(),
    };
    return makeLink(this.#config, this.#environment, () => this.#token(), handlers, this.#backoff);
  }

  #receive(text: string): void {
    const message = parseServerMessage(text);
    if (message.type === "change") this.#feed.receive(message.event);
    else if (message.type !== "ignored" && this.#relays.heard(message)) this.store.notify();
  }

  /** A request of the engine's own, given up when nobody answers. */
  #ask(path: string, body?: unknown): Promise<unknown> {
    return withDeadline(this.#environment.clock, (signal) => this.#http.request(path, { body, signal }));
  }

  /** A request for the replica or the queue: never with a token that nobody has looked at. */
  async #askAsOurselves(path: string, body?: unknown): Promise<unknown> {
    this.#ownership.requireSameToken();
    return this.#ask(path, body);
  }

  async #pushPending(): Promise<void> {
    if (this.mutations.pending().length > 0) await this.push();
  }

  #load(): Promise<void> {
    return (this.#loaded ??= this.#ownership.load());
  }

  #wake(): void {
    this.#link.wake();
    void this.#pushPending();
    // A connection that is still there may have died, which takes a moment to find out.
    if (this.#link.state.kind === "open") void this.pull();
  }
}
