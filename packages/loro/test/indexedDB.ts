/** A database of the browser's, for tests of what a reload finds again. */

import { IDBFactory } from "../../sync/node_modules/fake-indexeddb";

/** With it, the page has an IndexedDB; returns the way to take it away. */
export function withIndexedDB(factory: IDBFactory = new IDBFactory()): () => void {
  globalThis.indexedDB = factory;
  // The test page's locks are never given to anybody; without them, engines take turns by the database.
  Object.defineProperty(globalThis.navigator, "locks", { value: undefined, configurable: true });
  return () => void Reflect.deleteProperty(globalThis, "indexedDB");
}
