/** Rows read page by page over HTTP, beside the replica and not live. */

import type { HttpClient } from "./http.ts";
import { Listeners } from "./listeners.ts";
import { parseRows, type Row } from "./protocol.ts";

export type Order = Record<string, "asc" | "desc">;

export interface PageOptions {
  limit?: number | undefined;
  offset?: number | undefined;
  order?: Order | undefined;
  signal?: AbortSignal | undefined;
}

export interface Page<T = Row> {
  data: T[];
  /** How many rows this page holds. */
  total: number;
  hasMore: boolean;
}

/** Rejects when the server refuses or does not answer. */
export async function loadPage(http: HttpClient, entity: string, options: PageOptions): Promise<Page> {
  const { limit = 20, offset = 0, order, signal } = options;
  const query = { $limit: limit, $offset: offset, ...(order === undefined ? {} : { $order: order }) };
  const path = `/api/query/${encodeURIComponent(entity)}`;
  const data = parseRows(await http.request(path, { body: query, signal }));
  return { data, total: data.length, hasMore: data.length === limit };
}

export interface InfiniteQueryOptions {
  pageSize?: number | undefined;
  order?: Order | undefined;
}

/** A list that grows by a page at each `loadMore`. */
export class InfiniteQuery<T = Row> {
  readonly #loadPage: (offset: number) => Promise<Page<T>>;
  readonly #listeners = new Listeners();
  #data: T[] = [];
  #hasMore = true;
  #loading = false;
  /** Counts resets, so that a page asked for before one is not shown after it. */
  #generation = 0;

  constructor(loadPage: (offset: number) => Promise<Page<T>>) {
    this.#loadPage = loadPage;
  }

  get data(): T[] {
    return this.#data;
  }

  get hasMore(): boolean {
    return this.#hasMore;
  }

  get loading(): boolean {
    return this.#loading;
  }

  /** Does nothing while a page is on its way or when there are no more. */
  async loadMore(): Promise<void> {
    if (this.#loading || !this.#hasMore) return;
    const generation = this.#generation;
    this.#loading = true;
    this.#listeners.call();
    try {
      const page = await this.#loadPage(this.#data.length);
      if (generation !== this.#generation) return;
      this.#data = [...this.#data, ...page.data];
      this.#hasMore = page.hasMore;
    } finally {
      if (generation === this.#generation) {
        this.#loading = false;
        this.#listeners.call();
      }
    }
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  reset(): void {
    this.#generation += 1;
    this.#data = [];
    this.#hasMore = true;
    this.#loading = false;
    this.#listeners.call();
  }
}
