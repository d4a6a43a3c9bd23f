/**
 * One document tied to its server and to this device: frames in, edits out, both kept.
 *
 * Lives as long as its document. What is not sent yet goes on being sent when nobody follows the row any more.
 */

import type { LoroDoc } from "loro-crdt";
import type { DocumentStore, RowName } from "./documentStore.ts";
import { Keeper } from "./keeper.ts";
import type { LoroRegistry } from "./registry.ts";
import { Uploader, type UploadStatus } from "./uploader.ts";
import { versionAtEnd } from "./versions.ts";
import { CRDT_FRAME_SNAPSHOT, type CrdtFrame } from "./wire.ts";

export interface ServerPort {
  post(row: RowName, update: Uint8Array): Promise<void>;
  /** Whether the row is still on its way to the server. */
  rowIsQueued(row: RowName): boolean;
  subscribe(row: RowName): void;
  unsubscribe(row: RowName): void;
}

export interface DocumentStatus extends UploadStatus {
  /** Whether the document is here, as the server or this device has it; before that it is empty, whatever the row says. */
  readonly loaded: boolean;
  /** The row's document before this one, when it had edits that the server never had: they are nowhere else. */
  readonly lost: LoroDoc | null;
}

export class DocumentSync {
  readonly row: RowName;
  readonly #doc: LoroDoc;
  readonly #registry: LoroRegistry;
  readonly #server: ServerPort;
  readonly #uploader: Uploader;
  readonly #listeners = new Set<() => void>();
  #keeper: Keeper | null = null;
  #status: DocumentStatus = { unsent: false, error: null, loaded: false, lost: null };
  /** Whether this is the document that the registry gives out for the row. */
  #registered = true;
  #followers = 0;
  #subscribed = false;
  /** Whether the server could not know the row when it was subscribed to. */
  #awaitsRow = false;
  /** Whether the row went while there were unsent edits of it. */
  #rowIsGone = false;
  /** Lets the document go, which is held while it has unsent edits. */
  #hold: (() => void) | null = null;

  constructor(doc: LoroDoc, row: RowName, registry: LoroRegistry, server: ServerPort) {
    this.row = row;
    this.#doc = doc;
    this.#registry = registry;
    this.#server = server;
    this.#uploader = new Uploader(doc, {
      post: (update) => server.post(row, update),
      rowIsQueued: () => this.#rowIsQueued(),
      resubscribe: () => this.#resubscribe(),
      changed: () => this.#statusChanged(),
    });
    doc.subscribeLocalUpdates(() => {
      this.#keeper?.changed(true);
      void this.#uploader.send();
    });
    void this.#uploader.send();
  }

  /** The same object until something in it changes. */
  get status(): DocumentStatus {
    return this.#status;
  }

  /** Call `listener` on every change of `status`; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Keep the document up to date; returns the way to stop. */
  follow(): () => void {
    this.#followers += 1;
    if (!this.#subscribed) this.#subscribe();
    let following = true;
    return () => {
      if (!following) return;
      following = false;
      this.#followers -= 1;
      if (this.#followers === 0) this.#unsubscribe();
    };
  }

  /** Keep the document on this device for `owner`. */
  keep(store: DocumentStore, owner: string): void {
    this.#keeper = new Keeper(this.#doc, this.row, store, owner, {
      import: (bytes) => this.#registry.import(this.row.entity, this.row.rowId, bytes),
      serverHeld: (version) => {
        this.#loaded();
        this.#uploader.serverHolds(version);
      },
      lost: (doc) => this.#show(doc),
      progress: () => ({ held: this.#uploader.held, unsent: this.status.unsent }),
    });
    this.#keeper.changed(true);
  }

  /** A frame was applied to the document. */
  received({ type, payload }: CrdtFrame): void {
    const isWhole = type === CRDT_FRAME_SNAPSHOT;
    if (isWhole) this.#loaded();
    this.#uploader.serverHolds(versionAtEnd(payload), isWhole);
    this.#keeper?.changed(false);
    if (isWhole && this.#rowIsGone) {
      this.#rowIsGone = false;
      this.#uploader.retry();
    }
  }

  /** The server says that the row is gone, deleted or hidden. So is the document, unless there are unsent edits of it. */
  rowWent(): void {
    this.#rowIsGone = true;
    if (!this.status.unsent) void this.discard();
  }

  /** The server has another document for the row: what was not sent of the one before can be nowhere in it. */
  succeeds(before: DocumentSync): void {
    const { unsent, lost } = before.status;
    before.#supersede();
    if (unsent || lost !== null) this.#show(unsent ? before.#doc : lost);
  }

  /** There is a new connection: the server sends the document again, and may be there again. */
  connected(): void {
    if (this.#subscribed) this.#uploader.expectWhole();
    this.#uploader.connected();
  }

  /** The queue of rows that are on their way has changed. */
  queueChanged(): void {
    if (!this.#awaitsRow || this.#server.rowIsQueued(this.row)) return;
    this.#resubscribe();
    this.#uploader.retry();
  }

  retry(): void {
    this.#uploader.retry();
  }

  /** Resolves when all that is known is on the device, as far as it can be. */
  async flush(): Promise<void> {
    await this.#keeper?.flush();
  }

  /** The registry let go of the document. What is unsent goes on being sent. */
  dropped(): void {
    this.#registered = false;
    this.#letGo();
    // Now, and not when the last follower has gone: the row's next document must be sent to us anew.
    this.#unsubscribe();
    void this.flush();
  }

  /** Forget the document and its unsent edits, here and on the device. */
  async discard(): Promise<void> {
    const keeper = this.#keeper;
    this.stop();
    await keeper?.forget();
    this.#registry.evict(this.row.entity, this.row.rowId);
  }

  /** Nothing is sent or saved from now on, beyond what is known already. */
  stop(): void {
    this.#uploader.stop();
    void this.#keeper?.flush();
    this.#keeper = null;
    this.#letGo();
  }

  /** Nothing is sent or saved any more, and what is saved is not ours to remove: our successor writes over it. */
  #supersede(): void {
    this.#registered = false;
    this.#uploader.stop();
    this.#keeper?.stop();
    this.#keeper = null;
    this.#letGo();
    this.#unsubscribe();
  }

  #show(lost: LoroDoc | null): void {
    console.warn(`pylon: ${this.row.entity}/${this.row.rowId} has another document now, without the edits that were unsent`);
    this.#enter({ ...this.#status, lost });
  }

  /** The server does not know the row yet, so it did not take note of our subscription. */
  #rowIsQueued(): boolean {
    const queued = this.#server.rowIsQueued(this.row);
    this.#awaitsRow ||= queued;
    return queued;
  }

  #subscribe(): void {
    this.#subscribed = true;
    this.#awaitsRow = false;
    this.#rowIsQueued();
    this.#uploader.expectWhole();
    this.#server.subscribe(this.row);
  }

  #resubscribe(): void {
    if (!this.#subscribed) return;
    this.#unsubscribe();
    this.#subscribe();
  }

  #unsubscribe(): void {
    if (this.#subscribed) this.#server.unsubscribe(this.row);
    this.#subscribed = false;
  }

  #loaded(): void {
    if (!this.#status.loaded) this.#enter({ ...this.#status, loaded: true });
  }

  #statusChanged(): void {
    const { unsent, error } = this.#uploader.status;
    if (error !== null) console.warn(`pylon: edits of ${this.row.entity}/${this.row.rowId} were refused`, error);
    if (!unsent) this.#letGo();
    else if (this.#registered) this.#hold ??= this.#holdDocument();
    this.#keeper?.changed(unsent);
    this.#enter({ ...this.#status, unsent, error });
  }

  #enter(status: DocumentStatus): void {
    this.#status = status;
    for (const listener of [...this.#listeners]) listener();
  }

  #letGo(): void {
    this.#hold?.();
    this.#hold = null;
  }

  /** A listener keeps the document from being dropped as idle. */
  #holdDocument(): () => void {
    return this.#registry.subscribe(this.row.entity, this.row.rowId, () => undefined);
  }
}
