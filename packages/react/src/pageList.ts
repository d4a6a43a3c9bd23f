/**
 * A list that grows page by page from the server, as an external store.
 *
 *     empty ──loadFirst──▶ loading ──▶ waiting ──loadMore──▶ loading ──▶ … ──a short page──▶ exhausted
 *                             └──failed, or given up──▶ waiting
 *
 * A page under way is given up a moment after the last component let go of the list, because one that is only moved or
 * mounted twice comes back at once.
 */

import type { Order, SyncEngine } from "@pylonsync/sync";
import { isAbort, toError } from "./request.ts";

export interface Pages<T> {
  data: T[];
  /** True from the start, because the first page is asked for at once. */
  loading: boolean;
  hasMore: boolean;
  /** Why the last page did not come; `loadMore` tries again. */
  error: Error | null;
}

export class PageList<T> {
  readonly #sync: SyncEngine;
  readonly #entity: string;
  readonly #pageSize: number;
  readonly #order: Order | undefined;
  readonly #listeners = new Set<() => void>();
  #pages: Pages<T> = { data: [], loading: true, hasMore: true, error: null };
  #running: AbortController | null = null;
  #holders = 0;

  constructor(sync: SyncEngine, entity: string, pageSize: number, order: Order | undefined) {
    this.#sync = sync;
    this.#entity = entity;
    this.#pageSize = pageSize;
    this.#order = order;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): Pages<T> => this.#pages;

  /** Ask for the first page, unless it is there; returns the way to let go. */
  readonly acquire = (): (() => void) => {
    this.#holders += 1;
    if (this.#pages.loading) void this.loadMore();
    return () => {
      this.#holders -= 1;
      setTimeout(() => {
        if (this.#holders === 0) this.#running?.abort();
      }, 0);
    };
  };

  /** Never rejects. */
  readonly loadMore = async (): Promise<void> => {
    if (this.#running !== null || !this.#pages.hasMore) return;
    const controller = new AbortController();
    this.#running = controller;
    const { data: before } = this.#pages;
    this.#show({ ...this.#pages, loading: true, error: null });
    try {
      const { data, hasMore } = await this.#sync.loadPage<T>(this.#entity, {
        limit: this.#pageSize, offset: before.length, order: this.#order, signal: controller.signal,
      });
      this.#running = null;
      this.#show({ data: [...before, ...data], loading: false, hasMore, error: null });
    } catch (thrown) {
      this.#running = null;
      // Given up, the first page is asked for again by whoever comes next.
      const loading = isAbort(thrown) && before.length === 0;
      this.#show({ ...this.#pages, loading, error: isAbort(thrown) ? null : toError(thrown) });
    }
  };

  #show(pages: Pages<T>): void {
    const { data, loading, hasMore, error } = this.#pages;
    const same = pages.data === data && pages.loading === loading && pages.hasMore === hasMore && pages.error === error;
    if (same) return;
    this.#pages = pages;
    for (const listener of [...this.#listeners]) listener();
  }
}
