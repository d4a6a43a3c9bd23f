/** Rows page by page from the server, beside the replica and not live. */

import type { InfiniteQuery, Order, Row, SyncEngine } from "@pylonsync/sync";
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { toError } from "./request.ts";

export interface InfiniteQueryOptions {
  pageSize?: number | undefined;
  order?: Order | undefined;
}

interface Pages<T> {
  data: T[];
  /** True from the start, because the first page is asked for at once. */
  loading: boolean;
  hasMore: boolean;
  /** Why the last page did not come; `loadMore` tries again. */
  error: Error | null;
}

export interface InfiniteQueryResult<T> extends Pages<T> {
  /** Nothing happens while a page is on its way, or when there are no more. Never rejects. */
  loadMore: () => Promise<void>;
}

/** Another engine, entity, page size or order starts again from the first page. */
export function useInfiniteQuery<T = Row>(
  sync: SyncEngine,
  entity: string,
  options: InfiniteQueryOptions = {},
): InfiniteQueryResult<T> {
  const { pageSize = 20, order } = options;
  const orderKey = JSON.stringify(order);
  const list = useMemo(
    () => new PageList<T>(sync.createInfiniteQuery(entity, { pageSize, order })),
    [sync, entity, pageSize, orderKey],
  );
  const pages = useSyncExternalStore(list.subscribe, list.getSnapshot, list.getSnapshot);
  useEffect(() => void list.loadFirst(), [list]);
  return useMemo(() => ({ ...pages, loadMore: list.loadMore }), [pages, list]);
}

/** An `InfiniteQuery` with its last error, as an external store. */
class PageList<T> {
  readonly #query: InfiniteQuery;
  readonly #listeners = new Set<() => void>();
  #pages: Pages<T> = { data: [], loading: true, hasMore: true, error: null };
  #begun = false;

  constructor(query: InfiniteQuery) {
    this.#query = query;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): Pages<T> => this.#pages;

  readonly loadMore = async (): Promise<void> => {
    if (this.#query.loading || !this.#query.hasMore) return;
    const loaded = this.#query.loadMore();
    this.#show(null);
    try {
      await loaded;
      this.#show(null);
    } catch (thrown) {
      this.#show(toError(thrown));
    }
  };

  /** Effects may run twice; the first page is asked for once. */
  async loadFirst(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.loadMore();
  }

  #show(error: Error | null): void {
    const { data, loading, hasMore } = this.#query;
    // The type of rows is the app's word, as the manifest is the app's.
    this.#pages = { data: data as T[], loading, hasMore, error };
    for (const listener of [...this.#listeners]) listener();
  }
}
