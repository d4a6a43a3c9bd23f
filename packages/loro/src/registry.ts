/**
 * The documents of rows: one for each row, kept while somebody listens and for a while after.
 *
 * Frames come in, listeners are told. A document that is not the one we have, of a row that was made again, takes its
 * place. Who ties documents to a server hears when one is dropped. Documents that nobody listens to are bounded in
 * number: beyond `IDLE_DOCS_MAX` the one that was used least recently goes, and the server sends it again when it is
 * needed.
 */

import { LoroDoc } from "loro-crdt";
import { anotherDocument } from "./lineage.ts";
import { NOTHING, union, type Version, versionAtEnd } from "./versions.ts";
import { CRDT_FRAME_SNAPSHOT, type CrdtFrame, decodeCrdtFrame } from "./wire.ts";

export const IDLE_DOCS_MAX = 256;

interface Entry {
  /** Null after an eviction, until somebody asks. */
  doc: LoroDoc | null;
  readonly listeners: Set<() => void>;
  /** Counts what was told to listeners; a snapshot for those who compare. */
  version: number;
  /** How much of the document came in frames. */
  given: Version;
}

/** Hears of a document that is dropped, and which one took its place. */
type DropListener = (doc: LoroDoc, successor: LoroDoc | null) => void;

export class LoroRegistry {
  readonly #idleDocsMax: number;
  readonly #dropListeners = new Set<DropListener>();
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();

  constructor(idleDocsMax = IDLE_DOCS_MAX) {
    this.#idleDocsMax = idleDocsMax;
  }

  /** The row's document, an empty one at first; the same until it is evicted, or the server has another one. */
  doc(entity: string, rowId: string): LoroDoc {
    return docOf(this.#entry(entity, rowId));
  }

  /** Grows with every applied frame and every local commit. */
  version(entity: string, rowId: string): number {
    return this.#entries.get(key(entity, rowId))?.version ?? 0;
  }

  /** Call `listener` after each applied frame and each local commit of the row; returns the way to stop. */
  subscribe(entity: string, rowId: string, listener: () => void): () => void {
    const { listeners } = this.#entry(entity, rowId);
    // Wrapped, so that one function added twice is two listeners.
    const entry = (): void => listener();
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
      this.#dropIdle();
    };
  }

  /** Call `listener` with each document that is dropped: evicted, idle, or replaced; returns the way to stop. */
  onDrop(listener: DropListener): () => void {
    this.#dropListeners.add(listener);
    return () => void this.#dropListeners.delete(listener);
  }

  /** Whether the bytes were a frame whose document could be brought up to date. Never throws. */
  applyBinaryFrame(bytes: Uint8Array): boolean {
    const frame = decodeCrdtFrame(bytes);
    return frame !== null && this.receive(frame);
  }

  /** The same for a frame that was read already. */
  receive({ type, entity, rowId, payload }: CrdtFrame): boolean {
    const known = this.#entries.get(key(entity, rowId));
    try {
      const given = versionAtEnd(payload);
      const other =
        type === CRDT_FRAME_SNAPSHOT && known?.doc ? anotherDocument(known.doc, known.given, payload) : null;
      if (known?.doc && other !== null) this.#replace(known, known.doc, other);
      else if (!this.import(entity, rowId, payload)) return false;
      const entry = this.#entry(entity, rowId);
      entry.given = other === null ? union(entry.given, given) : given;
    } catch {
      return false;
    }
    return true;
  }

  /** Whether the row's document could take the bytes, an update or a snapshot. Never throws. */
  import(entity: string, rowId: string, bytes: Uint8Array): boolean {
    const known = this.#entries.has(key(entity, rowId));
    const entry = this.#entry(entity, rowId);
    try {
      docOf(entry).import(bytes);
    } catch {
      if (!known) this.#entries.delete(key(entity, rowId));
      return false;
    }
    tell(entry);
    return true;
  }

  /** Tell the listeners, then forget the document; who asks again gets an empty one. Listeners stay. */
  evict(entity: string, rowId: string): void {
    const entry = this.#entries.get(key(entity, rowId));
    if (entry === undefined || entry.doc === null) return;
    tell(entry);
    const { doc } = entry;
    entry.doc = null;
    entry.given = NOTHING;
    if (entry.listeners.size === 0) this.#entries.delete(key(entity, rowId));
    this.#dropped(doc, null);
  }

  /** The rows whose documents are here. */
  cachedRows(): { entity: string; rowId: string }[] {
    const names = [...this.#entries].filter(([, { doc }]) => doc !== null).map(([name]) => name);
    return names.map((name) => {
      const [entity, rowId] = JSON.parse(name) as [string, string];
      return { entity, rowId };
    });
  }

  /** The row's entry, which is now the one used most recently. */
  #entry(entity: string, rowId: string): Entry {
    const name = key(entity, rowId);
    const known = this.#entries.get(name);
    const entry = known ?? { doc: null, listeners: new Set<() => void>(), version: 0, given: NOTHING };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (known === undefined) this.#dropIdle();
    return entry;
  }

  #dropIdle(): void {
    const idle = [...this.#entries].filter(([, { listeners }]) => listeners.size === 0);
    for (const [name, { doc }] of idle.slice(0, Math.max(0, idle.length - this.#idleDocsMax))) {
      this.#entries.delete(name);
      if (doc !== null) this.#dropped(doc, null);
    }
  }

  #replace(entry: Entry, old: LoroDoc, successor: LoroDoc): void {
    entry.doc = watched(successor, entry);
    this.#dropped(old, successor);
    tell(entry);
  }

  #dropped(doc: LoroDoc, successor: LoroDoc | null): void {
    for (const listener of [...this.#dropListeners]) listener(doc, successor);
  }
}

/** The registry behind the hooks. */
export const globalRegistry = new LoroRegistry();

function docOf(entry: Entry): LoroDoc {
  return (entry.doc ??= watched(new LoroDoc(), entry));
}

function watched(doc: LoroDoc, entry: Entry): LoroDoc {
  // Imports are told by whoever imports, once for each frame.
  doc.subscribeLocalUpdates(() => {
    if (entry.doc === doc) tell(entry);
  });
  return doc;
}

function tell(entry: Entry): void {
  entry.version += 1;
  for (const listener of [...entry.listeners]) listener();
}

/** Names may hold any character, so no separator would do. */
function key(entity: string, rowId: string): string {
  return JSON.stringify([entity, rowId]);
}
