/**
 * Keeps one document on the device: takes over what was saved, then saves what comes. What was saved of another document
 * of the row is not taken over but written over.
 *
 * Edits of ours are saved soon, what others did a little later; either way what comes meanwhile is saved in one go. The
 * snapshot is written anew when the tail since it has grown long. After a failure nothing more is saved, which is said
 * once, and the document goes on in memory.
 */

import type { LoroDoc } from "loro-crdt";
import {
  type DocumentChange, type DocumentStore, type RowName, type SavedDocument, SavedElsewhereError,
} from "./documentStore.ts";
import { anotherDocument } from "./lineage.ts";
import { decodeVersion, encodeVersion, exportSince, type Version, versionOf } from "./versions.ts";

const OWN_EDITS_AFTER_MS = 30;
const OTHERS_EDITS_AFTER_MS = 1_000;
const TAIL_BYTES_MAX = 64 * 1024;

export interface KeeperHooks {
  /** Bring in what was saved. Returns whether the document could take it. */
  import(bytes: Uint8Array): boolean;
  /** The server held this much of what was saved. */
  serverHeld(version: Version): void;
  /** Another document of the row was saved, with edits that the server never had. */
  lost(doc: LoroDoc): void;
  /** What the server holds now, and whether it lacks something. */
  progress(): { held: Version; unsent: boolean };
}

export class Keeper {
  readonly #doc: LoroDoc;
  readonly #row: RowName;
  readonly #store: DocumentStore;
  readonly #owner: string;
  readonly #hooks: KeeperHooks;
  /** What is saved, as far as we know; without a version when it is no state of our document. */
  #saved: { version: Version | null; generation: number } | null = null;
  #last: Promise<void>;
  #timer: { handle: ReturnType<typeof setTimeout>; dueMs: number } | null = null;
  #broken = false;

  /** Begins by loading. */
  constructor(doc: LoroDoc, row: RowName, store: DocumentStore, owner: string, hooks: KeeperHooks) {
    this.#doc = doc;
    this.#row = row;
    this.#store = store;
    this.#owner = owner;
    this.#hooks = hooks;
    this.#last = this.#try(() => this.#load());
  }

  /** The document, or what the server holds of it, changed. */
  changed(byUs: boolean): void {
    const delayMs = byUs ? OWN_EDITS_AFTER_MS : OTHERS_EDITS_AFTER_MS;
    const dueMs = Date.now() + delayMs;
    if (this.#timer !== null && this.#timer.dueMs <= dueMs) return;
    if (this.#timer !== null) clearTimeout(this.#timer.handle);
    this.#timer = { handle: setTimeout(() => void this.flush(), delayMs), dueMs };
  }

  /** Save now what is to be saved. Resolves when it is, or cannot be. */
  flush(): Promise<void> {
    if (this.#timer === null) return this.#last;
    clearTimeout(this.#timer.handle);
    this.#timer = null;
    return (this.#last = this.#last.then(() => this.#try(() => this.#save())));
  }

  /** Save nothing any more, and leave what is saved. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer.handle);
    this.#timer = null;
    this.#broken = true;
  }

  /** Forget what is saved. */
  forget(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer.handle);
    this.#timer = null;
    return (this.#last = this.#last.then(() => this.#try(() => this.#store.remove(this.#owner, this.#row))));
  }

  async #load(): Promise<void> {
    this.#saved = null;
    const saved = await this.#store.load(this.#owner, this.#row);
    if (saved === null || this.#isAnother(saved)) return;
    if (!this.#hooks.import(saved.snapshot) || !this.#hooks.import(saved.tail)) {
      await this.#store.remove(this.#owner, this.#row);
      throw new Error("what was saved of the document cannot be read");
    }
    this.#saved = { version: decodeVersion(saved.version), generation: saved.generation };
    this.#hooks.serverHeld(decodeVersion(saved.held));
  }

  #isAnother(saved: SavedDocument): boolean {
    const other = anotherDocument(this.#doc, this.#hooks.progress().held, saved.snapshot);
    if (other === null) return false;
    this.#saved = { version: null, generation: saved.generation };
    other.import(saved.tail);
    if (saved.unsent) this.#hooks.lost(other);
    this.changed(true);
    return true;
  }

  /** What another tab has saved meanwhile is taken over first. */
  async #save(): Promise<void> {
    for (;;) {
      try {
        return await this.#write();
      } catch (error) {
        if (!(error instanceof SavedElsewhereError)) throw error;
        await this.#load();
      }
    }
  }

  async #write(): Promise<void> {
    const version = versionOf(this.#doc);
    if (version.size === 0) return;
    const { held, unsent } = this.#hooks.progress();
    const progress = { held: encodeVersion(held), unsent };
    const since = this.#saved?.version ?? null;
    const tail = since === null ? null : exportSince(this.#doc, since);
    if (this.#saved !== null && tail !== null && tail.length <= TAIL_BYTES_MAX) {
      this.#saved.generation = await this.#put({ ...progress, tail });
      return;
    }
    const snapshot = this.#doc.export({ mode: "snapshot" });
    const empty = exportSince(this.#doc, version);
    const generation = await this.#put({ ...progress, snapshot, version: encodeVersion(version), tail: empty });
    this.#saved = { version, generation };
  }

  #put(change: DocumentChange): Promise<number> {
    return this.#store.save(this.#owner, this.#row, change, this.#saved?.generation ?? null);
  }

  async #try(step: () => Promise<void>): Promise<void> {
    if (this.#broken) return;
    try {
      await step();
    } catch (error) {
      this.#broken = true;
      console.warn(`pylon: the document of ${this.#row.entity}/${this.#row.rowId} is not kept on this device`, error);
    }
  }
}
