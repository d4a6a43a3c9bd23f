/**
 * The documents of rows: one for each row, kept while somebody listens and for a while after.
 *
 * Frames come in, listeners are told. Documents that nobody listens to are bounded in number: beyond
 * `IDLE_DOCS_MAX` the one that was used least recently goes, and the server sends it again when it is needed.
 */

import { LoroDoc } from "loro-crdt";
import { decodeCrdtFrame } from "./wire.ts";

export const IDLE_DOCS_MAX = 256;

interface Entry {
  /** Null after an eviction, until somebody asks. */
  doc: LoroDoc | null;
  readonly listeners: Set<() => void>;
  /** Counts what was told to listeners; a snapshot for those who compare. */
  version: number;
}

export class LoroRegistry {
  readonly #idleDocsMax: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();

  constructor(idleDocsMax = IDLE_DOCS_MAX) {
    this.#idleDocsMax = idleDocsMax;
  }

  /** The row's document, an empty one at first; the same until it is evicted. */
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

  /** Whether the bytes were a frame whose document could be brought up to date. Never throws. */
  applyBinaryFrame(bytes: Uint8Array): boolean {
    const frame = decodeCrdtFrame(bytes);
    if (frame === null) return false;
    const known = this.#entries.has(key(frame.entity, frame.rowId));
    const entry = this.#entry(frame.entity, frame.rowId);
    try {
      docOf(entry).import(frame.payload);
    } catch {
      if (!known) this.#entries.delete(key(frame.entity, frame.rowId));
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
    entry.doc = null;
    if (entry.listeners.size === 0) this.#entries.delete(key(entity, rowId));
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
    const entry = known ?? { doc: null, listeners: new Set(), version: 0 };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (known === undefined) this.#dropIdle();
    return entry;
  }

  #dropIdle(): void {
    const idle = [...this.#entries].filter(([, { listeners }]) => listeners.size === 0);
    for (const [name] of idle.slice(0, Math.max(0, idle.length - this.#idleDocsMax))) this.#entries.delete(name);
  }
}

/** The registry behind the hooks. */
export const globalRegistry = new LoroRegistry();

function docOf(entry: Entry): LoroDoc {
  if (entry.doc !== null) return entry.doc;
  const doc = new LoroDoc();
  // Imports are told by whoever imports, once for each frame.
  doc.subscribeLocalUpdates(() => tell(entry));
  return (entry.doc = doc);
}

function tell(entry: Entry): void {
  entry.version += 1;
  for (const listener of [...entry.listeners]) listener();
}

/** Names may hold any character, so no separator would do. */
function key(entity: string, rowId: string): string {
  return JSON.stringify([entity, rowId]);
}
