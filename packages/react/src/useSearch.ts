/** Words and facets, searched by the server and kept up to date. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useMemo } from "react";
import { keyOf } from "./equality.ts";
import type { Direction } from "./filter.ts";
import { segment } from "./request.ts";
import { useServerQuery } from "./useServerQuery.ts";

export interface SearchSpec {
  query?: string | undefined;
  /** Facets and the value each must have. */
  filters?: Row | undefined;
  /** The facets to count. */
  facets?: string[] | undefined;
  sort?: [field: string, direction: Direction] | undefined;
  /** From 0 on. */
  page?: number | undefined;
  pageSize?: number | undefined;
}

export type FacetCounts = Record<string, Record<string, number>>;

interface SearchPage<T> {
  hits: T[];
  facetCounts: FacetCounts;
  /** Hits on all pages. */
  total: number;
  tookMs: number;
}

export interface SearchResult<T> extends SearchPage<T> {
  loading: boolean;
  error: Error | null;
  refresh: () => Promise<void>;
}

const NO_HITS = { hits: [], facetCounts: {}, total: 0, tookMs: 0 };

/** The hits of the last answer stay while the next one is on its way; an answer that was overtaken is not shown. */
export function useSearch<T = Row>(sync: SyncEngine, entity: string, spec: SearchSpec): SearchResult<T> {
  const { data, loading, error, refresh } = useServerQuery(sync, entity, keyOf([entity, spec]), (signal) => {
    const { page = 0, pageSize = 20, ...rest } = spec;
    const body = { ...rest, page, page_size: pageSize };
    return sync.request<SearchPage<T>>(`/api/search/${segment(entity)}`, { body, signal });
  });
  return useMemo(() => ({ ...(data ?? NO_HITS), loading, error, refresh }), [data, loading, error, refresh]);
}
