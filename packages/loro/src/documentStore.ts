/**
 * Documents on this device, in IndexedDB: what was open before is there after a reload, and so is what was not sent.
 *
 * Database `pylon_loro_<app>`, version 1. A document is a snapshot and a tail, the operations since the snapshot, so
 * that an edit writes little: `snapshots` (`key`, `snapshot`, `version`) and `documents` (`key`, `entity`, `rowId`,
 * `tail`, `held`, `unsent`, `generation`, …), with keys [owner, entity, row id]. Bounded: beyond `DOCUMENTS_MAX`
 * documents or `BYTES_MAX` bytes, those used least recently go; one with unsent edits never does, and when these
 * alone are too many, saving fails. Tabs share the database: `generation` tells who wrote last, and nobody writes over
 * what they have not seen.
 */

export const DOCUMENTS_MAX = 200;
export const BYTES_MAX = 32 * 1024 * 1024;

export interface RowName {
  entity: string;
  rowId: string;
}

/** Bytes are Loro's. */
export interface SavedDocument {
  snapshot: Uint8Array;
  /** The version of the snapshot. */
  version: Uint8Array;
  tail: Uint8Array;
  /** The version that the server is known to hold. */
  held: Uint8Array;
  unsent: boolean;
  generation: number;
}

/** The saved document is not the one that is to be written over. */
export class SavedElsewhereError extends Error {
  override readonly name = "SavedElsewhereError";
}

/** What changed of a saved document; without a snapshot the saved one stays. */
export type DocumentChange = Pick<SavedDocument, "tail" | "held" | "unsent"> & Partial<Pick<SavedDocument, "snapshot" | "version">>;

interface Head extends RowName {
  key: Key;
  tail: Uint8Array;
  held: Uint8Array;
  unsent: boolean;
  generation: number;
  snapshotBytes: number;
  usedAt: number;
}

interface Snapshot {
  key: Key;
  snapshot: Uint8Array;
  version: Uint8Array;
}

type Key = [owner: string, entity: string, rowId: string];

export class DocumentStore {
  readonly #name: string;
  readonly #factory: IDBFactory;
  readonly #now: () => number;
  readonly #bounds: { documents: number; bytes: number };
  #database: Promise<IDBDatabase> | null = null;

  constructor(
    appName: string,
    factory: IDBFactory,
    now: () => number = Date.now,
    bounds = { documents: DOCUMENTS_MAX, bytes: BYTES_MAX },
  ) {
    this.#name = `pylon_loro_${appName}`;
    this.#factory = factory;
    this.#now = now;
    this.#bounds = bounds;
  }

  async load(owner: string, row: RowName): Promise<SavedDocument | null> {
    return this.#run("readonly", async (documents, snapshots) => {
      const key = keyOf(owner, row);
      const [head, body] = await Promise.all([
        settled<Head | undefined>(documents.get(key)),
        settled<Snapshot | undefined>(snapshots.get(key)),
      ]);
      if (head === undefined || body === undefined) return null;
      const { tail, held, unsent, generation } = head;
      return { snapshot: body.snapshot, version: body.version, tail, held, unsent, generation };
    });
  }

  /**
   * Write over the document of `generation` (null: there is none), and resolve to the new one's. Rejects with
   * `SavedElsewhereError` when another is saved, and when the device takes no more.
   */
  async save(owner: string, row: RowName, change: DocumentChange, known: number | null): Promise<number> {
    return this.#run("readwrite", async (documents, snapshots) => {
      const key = keyOf(owner, row);
      const { tail, held, unsent, snapshot, version } = change;
      const saved = await settled<Head | undefined>(documents.get(key));
      if ((saved?.generation ?? null) !== known) throw new SavedElsewhereError("another tab saved this document");
      const generation = Math.random();
      const snapshotBytes = snapshot?.length ?? saved?.snapshotBytes ?? 0;
      const { entity, rowId } = row;
      const head = { key, entity, rowId, tail, held, unsent, generation, snapshotBytes, usedAt: this.#now() };
      documents.put(head satisfies Head);
      if (snapshot !== undefined && version !== undefined) snapshots.put({ key, snapshot, version } satisfies Snapshot);
      // A tail alone is short: documents are counted when a snapshot is written.
      if (snapshot !== undefined) await this.#makeRoom(documents, snapshots);
      return generation;
    });
  }

  async remove(owner: string, row: RowName): Promise<void> {
    await this.#run("readwrite", async (documents, snapshots) => {
      documents.delete(keyOf(owner, row));
      snapshots.delete(keyOf(owner, row));
    });
  }

  /** Remove what is saved of these rows, save documents with unsent edits. */
  async forget(owner: string, rows: readonly RowName[]): Promise<void> {
    await this.#run("readwrite", async (documents, snapshots) => {
      const keys = rows.map((row) => keyOf(owner, row));
      const heads = await Promise.all(keys.map((key) => settled<Head | undefined>(documents.get(key))));
      for (const head of heads) {
        if (head === undefined || head.unsent) continue;
        documents.delete(head.key);
        snapshots.delete(head.key);
      }
    });
  }

  /** The rows of `owner` with edits that the server does not have. */
  async unsentRows(owner: string): Promise<RowName[]> {
    const heads = await this.#run("readonly", (documents) => settled<Head[]>(documents.getAll()));
    const unsent = heads.filter(({ key, unsent }) => unsent && key[0] === owner);
    return unsent.map(({ entity, rowId }) => ({ entity, rowId }));
  }

  async #makeRoom(documents: IDBObjectStore, snapshots: IDBObjectStore): Promise<void> {
    const heads = await settled<Head[]>(documents.getAll());
    heads.sort((a, b) => Number(b.unsent) - Number(a.unsent) || b.usedAt - a.usedAt);
    let bytes = 0;
    heads.forEach((head, position) => {
      bytes += head.snapshotBytes + head.tail.length;
      if (position < this.#bounds.documents && bytes <= this.#bounds.bytes) return;
      if (head.unsent) throw new Error("there are too many unsent edits on this device");
      documents.delete(head.key);
      snapshots.delete(head.key);
    });
  }

  /** One transaction: all of it or nothing. */
  async #run<T>(
    mode: IDBTransactionMode,
    action: (documents: IDBObjectStore, snapshots: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    const database = await (this.#database ??= this.#open());
    const transaction = database.transaction(["documents", "snapshots"], mode, { durability: "strict" });
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
    });
    try {
      const result = await action(transaction.objectStore("documents"), transaction.objectStore("snapshots"));
      await ended;
      return result;
    } catch (error) {
      ended.catch(() => undefined);
      if (transaction.error === null) abort(transaction);
      throw transaction.error ?? error;
    }
  }

  #open(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = this.#factory.open(this.#name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("documents", { keyPath: "key" });
        request.result.createObjectStore("snapshots", { keyPath: "key" });
      };
      request.onerror = () => reject(request.error ?? new Error("the database could not be opened"));
      request.onblocked = () => reject(new Error("an older version of the database is open in another tab"));
      request.onsuccess = () => {
        // A newer version in another tab waits for us: let it pass.
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
    });
  }
}

function keyOf(owner: string, { entity, rowId }: RowName): Key {
  return [owner, entity, rowId];
}

function settled<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    // What is read is what was written here.
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error ?? new Error("a request to the database failed"));
  });
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It had ended by itself, which is why we are here.
  }
}
