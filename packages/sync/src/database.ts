/**
 * One app's IndexedDB database: opening it, and transactions as promises.
 *
 * A transaction commits by itself as soon as nothing is asked of it, so the functions run in one may wait for its
 * own requests only.
 */

import { isRow, type Row } from "./protocol.ts";

const VERSION = 2;
const KEY_PATHS = { entities: "_key", cursors: "key", pendingMutations: "id" } as const;
type StoreName = keyof typeof KEY_PATHS;

/** Opens one app's database and runs transactions on it. */
export class Database {
  readonly #name: string;
  readonly #factory: () => IDBFactory;
  #connection: IDBDatabase | null = null;

  constructor(appName: string, factory: () => IDBFactory) {
    this.#name = databaseName(appName);
    this.#factory = factory;
  }

  get connection(): IDBDatabase | null {
    return this.#connection;
  }

  async open(): Promise<void> {
    if (this.#connection !== null) return;
    const connection = await openDatabase(this.#factory(), this.#name);
    // A newer version in another tab waits for us: let it pass and go on in memory.
    connection.onversionchange = () => this.close();
    connection.onclose = () => (this.#connection = null);
    this.#connection = connection;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  async read<T>(stores: StoreName[], action: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#run(stores, "readonly", "relaxed", action);
  }

  /** All of it or nothing. `strict` waits until it would outlive a power cut. */
  async write<T>(
    stores: StoreName[],
    durability: "strict" | "relaxed",
    action: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    return this.#run(stores, "readwrite", durability, action);
  }

  async #run<T>(
    stores: StoreName[],
    mode: IDBTransactionMode,
    durability: "strict" | "relaxed",
    action: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    if (this.#connection === null) throw new Error("the database is not open");
    const transaction = this.#connection.transaction(stores, mode, { durability });
    const done = completion(transaction);
    try {
      const result = await action(new Transaction(transaction));
      await done;
      return result;
    } catch (error) {
      done.catch(() => undefined);
      abort(transaction);
      // An aborted transaction fails its requests with a mere AbortError; the reason is with itself.
      throw transaction.error ?? error;
    }
  }
}

/** The stores of a running transaction. */
export class Transaction {
  readonly #transaction: IDBTransaction;

  constructor(transaction: IDBTransaction) {
    this.#transaction = transaction;
  }

  get(store: StoreName, key: string): Promise<Row | null> {
    return settle<unknown, Row | null>(this.#store(store).get(key), (value) => (isRow(value) ? value : null));
  }

  all(store: StoreName): Promise<Row[]> {
    return settle<unknown[], Row[]>(this.#store(store).getAll(), (records) => records.filter(isRow));
  }

  /** Not waited for: the transaction ends after it, or fails with it. */
  put(store: StoreName, record: Row): void {
    this.#store(store).put(record);
  }

  delete(store: StoreName, key: string): void {
    this.#store(store).delete(key);
  }

  clear(store: StoreName): void {
    this.#store(store).clear();
  }

  #store(name: StoreName): IDBObjectStore {
    return this.#transaction.objectStore(name);
  }
}

/** The database of an app, and so the name of all that its tabs share. */
export function databaseName(appName: string): string {
  return `pylon_sync_${appName}`;
}

function openDatabase(factory: IDBFactory, name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, VERSION);
    let refused = false;
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(KEY_PATHS)) {
        if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store, { keyPath });
      }
    };
    request.onblocked = () => {
      refused = true;
      reject(new Error("an older version of the database is open in another tab"));
    };
    request.onerror = () => reject(request.error ?? new Error("the database could not be opened"));
    request.onsuccess = () => {
      // An upgrade that was blocked may still come through, when nobody waits for it any more.
      if (refused) request.result.close();
      else resolve(request.result);
    };
  });
}

function settle<V, T>(request: IDBRequest<V>, read: (value: V) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(read(request.result));
    request.onerror = () => reject(request.error ?? new Error("a request to the database failed"));
  });
}

function completion(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
  });
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It had ended by itself, which is why we are here.
  }
}
