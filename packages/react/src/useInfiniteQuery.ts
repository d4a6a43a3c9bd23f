/** Rows page by page from the server, beside the replica and not live. */

import type { Order, Row, SyncEngine } from "@pylonsync/sync";
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { PageList, type Pages } from "./pageList.ts";

export interface InfiniteQueryOptions {
  pageSize?: number | undefined;
  order?: Order | undefined;
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
  const list = useMemo(() => new PageList<T>(sync, entity, pageSize, order), [sync, entity, pageSize, orderKey]);
  const pages = useSyncExternalStore(list.subscribe, list.getSnapshot, list.getSnapshot);
  useEffect(() => list.acquire(), [list]);
  return useMemo(() => ({ ...pages, loadMore: list.loadMore }), [pages, list]);
}
