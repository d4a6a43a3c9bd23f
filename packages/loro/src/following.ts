/**
 * Ties the documents of the registry to an engine: one for the page, made at the first use.
 *
 * Documents belong to the user the engine speaks for. When another one signs in, all are dropped here and nothing of
 * them is sent; what was not sent waits on the device for its own user.
 */

import { db, getAppName, getReactStorage, onEngineStarted, storageKey } from "@pylonsync/react";
import type { LoroDoc } from "loro-crdt";
import { DocumentStore, type RowName } from "./documentStore.ts";
import { DocumentSync } from "./documentSync.ts";
import { globalRegistry, type LoroRegistry } from "./registry.ts";
import { toHex } from "./uploader.ts";
import { decodeCrdtFrame } from "./wire.ts";

type Engine = typeof db.sync;

class Following {
  readonly #engine: Engine;
  readonly #registry: LoroRegistry;
  readonly #store: DocumentStore | null;
  readonly #syncs = new Map<LoroDoc, DocumentSync>();
  readonly #stops: (() => void)[];
  readonly #unsentListeners = new Set<() => void>();
  #stopFrames: (() => void) | null = null;
  /** Whose the documents are; null until it is known. */
  #owner: string | null = null;
  /** The token that is known to be the owner's. */
  #token: string | null = null;

  constructor(engine: Engine, registry: LoroRegistry, store: DocumentStore | null) {
    this.#engine = engine;
    this.#registry = registry;
    this.#store = store;
    this.#stops = [
      engine.store.subscribe(() => this.#lookAtOwner()),
      engine.store.onDelete((rows) => this.#rowsWent(rows)),
      engine.onStatus(() => this.#lookAtOwner()),
      engine.subscribeConnection(() => this.#connectionChanged()),
      engine.mutations.subscribe(() => this.#each((sync) => sync.queueChanged())),
      engine.unsent.add({
        count: () => [...this.#syncs.values()].filter(({ status }) => status.unsent).length,
        subscribe: (listener) => {
          this.#unsentListeners.add(listener);
          return () => void this.#unsentListeners.delete(listener);
        },
      }),
      registry.onDrop((doc, successor) => this.#dropped(doc, successor)),
      onPageHide(() => this.#each((sync) => void sync.flush())),
    ];
    this.#lookAtOwner();
  }

  get engine(): Engine {
    return this.#engine;
  }

  takeFrames(): void {
    this.#stopFrames ??= this.#engine.onBinaryFrame((bytes) => this.#receive(bytes));
  }

  ignoreFrames(): void {
    this.#stopFrames?.();
    this.#stopFrames = null;
  }

  /** The row's document as it is tied to the server. */
  sync(row: RowName, doc: LoroDoc): DocumentSync {
    const known = this.#syncs.get(doc);
    if (known !== undefined) return known;
    const sync = new DocumentSync(doc, row, this.#registry, {
      post: (of, update) => this.#post(of, update),
      rowIsQueued: (of) => this.#rowIsQueued(of),
      subscribe: ({ entity, rowId }) => this.#engine.subscribeCrdt(entity, rowId),
      unsubscribe: ({ entity, rowId }) => this.#engine.unsubscribeCrdt(entity, rowId),
    });
    this.#syncs.set(doc, sync);
    sync.subscribe(() => this.#unsentChanged());
    if (this.#store !== null && this.#owner !== null) sync.keep(this.#store, this.#owner);
    return sync;
  }

  peek(doc: LoroDoc): DocumentSync | undefined {
    return this.#syncs.get(doc);
  }

  /** For good: another engine takes over. */
  stop(): void {
    this.ignoreFrames();
    for (const stop of this.#stops) stop();
    this.#dropAll();
  }

  /** Send what was left unsent when the page was last closed, whether or not anybody opens those rows. */
  async #sendLeftOver(store: DocumentStore, owner: string): Promise<void> {
    let rows: RowName[];
    try {
      rows = await store.unsentRows(owner);
    } catch (error) {
      console.warn("pylon: documents are not kept on this device", error);
      return;
    }
    for (const row of rows) {
      if (this.#owner !== owner) return;
      const sync = this.sync(row, this.#registry.doc(row.entity, row.rowId));
      const unfollow = sync.follow();
      const stop = sync.subscribe(() => {
        if (sync.status.unsent && sync.status.error === null) return;
        stop();
        unfollow();
      });
    }
  }

  #receive(bytes: Uint8Array): void {
    const frame = decodeCrdtFrame(bytes);
    if (frame === null || !this.#registry.receive(frame)) return;
    this.#syncs.get(this.#registry.doc(frame.entity, frame.rowId))?.received(frame);
  }

  #lookAtOwner(): void {
    const { userId, tenantId } = this.#engine.resolvedSession();
    const owner = userId === null ? null : ownerName(userId, tenantId);
    if (owner === this.#owner) return;
    if (this.#owner !== null) this.#dropAll();
    this.#owner = owner;
    this.#token = presentToken();
    if (owner === null || this.#store === null) return;
    for (const sync of this.#syncs.values()) sync.keep(this.#store, owner);
    void this.#sendLeftOver(this.#store, owner);
  }

  #connectionChanged(): void {
    if (this.#engine.connection.kind === "open") this.#each((sync) => sync.connected());
  }

  async #post({ entity, rowId }: RowName, update: Uint8Array): Promise<void> {
    await this.#requireOwner();
    const path = `/api/crdt/${encodeURIComponent(entity)}/${encodeURIComponent(rowId)}`;
    await this.#engine.request(path, { body: { update: toHex(update) } });
  }

  /** Rejects when the token is another user's: edits are never sent as somebody else. */
  async #requireOwner(): Promise<void> {
    const [owner, token] = [this.#owner, presentToken()];
    if (owner === null || token === this.#token) return;
    const me = await this.#engine.request<{ user_id: string | null; tenant_id?: string | null }>("/api/auth/me");
    if (me.user_id === null || ownerName(me.user_id, me.tenant_id ?? null) !== owner) {
      void this.#engine.notifySessionChanged();
      throw new Error("somebody else has signed in");
    }
    this.#token = token;
  }

  #rowIsQueued({ entity, rowId }: RowName): boolean {
    return this.#engine.mutations
      .pending()
      .some(({ change }) => change.kind === "insert" && change.entity === entity && change.row_id === rowId);
  }

  #dropped(doc: LoroDoc, successor: LoroDoc | null): void {
    const sync = this.#syncs.get(doc);
    this.#syncs.delete(doc);
    if (sync === undefined) return;
    if (successor === null) sync.dropped();
    else this.sync(sync.row, successor).succeeds(sync);
    this.#unsentChanged();
  }

  /** Documents of rows that are gone are forgotten, here and on the device, save those with unsent edits. */
  #rowsWent(rows: readonly RowName[]): void {
    const names = new Set(rows.map(({ entity, rowId }) => JSON.stringify([entity, rowId])));
    this.#each((sync) => {
      if (names.delete(JSON.stringify([sync.row.entity, sync.row.rowId]))) sync.rowWent();
    });
    if (this.#store === null || this.#owner === null) return;
    const closed = rows.filter(({ entity, rowId }) => names.has(JSON.stringify([entity, rowId])));
    this.#store.forget(this.#owner, closed).catch((error: unknown) => console.warn("pylon: a document was not removed", error));
  }

  #unsentChanged(): void {
    for (const listener of [...this.#unsentListeners]) listener();
  }

  #dropAll(): void {
    for (const sync of [...this.#syncs.values()]) {
      sync.stop();
      this.#registry.evict(sync.row.entity, sync.row.rowId);
    }
  }

  #each(action: (sync: DocumentSync) => void): void {
    for (const sync of [...this.#syncs.values()]) action(sync);
  }
}

let following: Following | null = null;
/** Ends `startLoro`'s wait for engines; null before it was called. */
let unstart: (() => void) | null = null;

/** The document as it is tied to the page's engine. */
export function syncOf(row: RowName, doc: LoroDoc): DocumentSync {
  return attached().sync(row, doc);
}

/** The same, if it is tied already. */
export function tiedSync(doc: LoroDoc): DocumentSync | undefined {
  return following?.peek(doc);
}

/**
 * From now on, as soon as the page's engine runs, also one that is made later: take frames, and send what was left unsent
 * when the page was last closed. The hooks call it; call it yourself to have that sent before any document is opened.
 */
export function startLoro(): void {
  unstart ??= onEngineStarted((engine) => void follow(engine));
}

/** Take no frames any more, until the next row is followed. */
export function detachLoro(): void {
  unstart?.();
  unstart = null;
  following?.ignoreFrames();
}

function attached(): Following {
  startLoro();
  return follow(db.sync);
}

function follow(engine: Engine): Following {
  if (following?.engine !== engine) {
    following?.stop();
    const { indexedDB } = globalThis;
    const store = indexedDB === undefined ? null : new DocumentStore(getAppName(), indexedDB);
    following = new Following(engine, globalRegistry, store);
  }
  following.takeFrames();
  return following;
}

function ownerName(userId: string, tenantId: string | null): string {
  return JSON.stringify([userId, tenantId]);
}

function presentToken(): string | null {
  return getReactStorage().get(storageKey("token"));
}

function onPageHide(action: () => void): () => void {
  if (typeof window === "undefined" || typeof window.addEventListener !== "function") return () => undefined;
  window.addEventListener("pagehide", action);
  return () => window.removeEventListener("pagehide", action);
}
