/** `useInfiniteQuery` under other names: the state of the list as one word. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useMemo } from "react";
import { useInfiniteQuery } from "./useInfiniteQuery.ts";

export type PaginationStatus = "LoadingFirstPage" | "LoadingMore" | "CanLoadMore" | "Exhausted";

export interface PaginatedQueryResult<T> {
  results: T[];
  status: PaginationStatus;
  /** The next page has the size of the first one, whatever `count` says. */
  loadMore: (count?: number) => Promise<void>;
  error: Error | null;
}

export function usePaginatedQuery<T = Row>(
  sync: SyncEngine,
  entity: string,
  options: { initialNumItems?: number | undefined } = {},
): PaginatedQueryResult<T> {
  const { initialNumItems = 20 } = options;
  const { data, loading, hasMore, loadMore, error } = useInfiniteQuery<T>(sync, entity, { pageSize: initialNumItems });
  const status = paginationStatus(data.length, loading, hasMore);
  return useMemo(() => ({ results: data, status, loadMore, error }), [data, status, loadMore, error]);
}

function paginationStatus(rows: number, loading: boolean, hasMore: boolean): PaginationStatus {
  if (loading) return rows === 0 ? "LoadingFirstPage" : "LoadingMore";
  return hasMore ? "CanLoadMore" : "Exhausted";
}
