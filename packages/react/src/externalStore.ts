/**
 * What `useSyncExternalStore` takes, over something that is computed from the replica.
 *
 * The value is computed again only after the replica said that it changed, and the old value is kept when the new one
 * says the same: components that show it then do not render. Without a subscriber nobody says, so it is computed at
 * each look.
 */

export interface ExternalStore<T> {
  subscribe: (listener: () => void) => () => void;
  getSnapshot: () => T;
  getServerSnapshot: () => T;
}

export interface Source<T> {
  subscribe(listener: () => void): () => void;
  read(): T;
  /** `next`, or `previous` when the two say the same. */
  keep(previous: T, next: T): T;
  /** What is shown before there is a replica, and in pages rendered by a server. */
  empty: T;
}

export function externalStore<T>(source: Source<T>): ExternalStore<T> {
  let value = source.empty;
  let subscribers = 0;
  let stale = true;

  return {
    subscribe(listener) {
      subscribers += 1;
      stale = true;
      const unsubscribe = source.subscribe(() => {
        stale = true;
        listener();
      });
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        subscribers -= 1;
        unsubscribe();
      };
    },
    getSnapshot() {
      if (stale || subscribers === 0) {
        value = source.keep(value, source.read());
        stale = false;
      }
      return value;
    },
    getServerSnapshot: () => source.empty,
  };
}
