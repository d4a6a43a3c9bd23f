/** Counts, sums and the like of an entity's rows, counted by the server and kept up to date. */

import type { Row, SyncEngine } from "@pylonsync/sync";
import { useMemo } from "react";
import { keyOf } from "./equality.ts";
import { segment } from "./request.ts";
import { useServerQuery } from "./useServerQuery.ts";

export type Bucket = "hour" | "day" | "week" | "month" | "year";

export interface AggregateSpec {
  /** "*", or a field of which the values are counted. */
  count?: string | undefined;
  sum?: string[] | undefined;
  avg?: string[] | undefined;
  min?: string[] | undefined;
  max?: string[] | undefined;
  countDistinct?: string[] | undefined;
  groupBy?: (string | { field: string; bucket: Bucket })[] | undefined;
  where?: Row | undefined;
}

export interface AggregateResult<R> {
  /** Null until the first answer. */
  data: R[] | null;
  loading: boolean;
  error: Error | null;
  refresh: () => Promise<void>;
}

export function useAggregate<R = Row>(sync: SyncEngine, entity: string, spec: AggregateSpec): AggregateResult<R> {
  const { data, loading, error, refresh } = useServerQuery(sync, entity, keyOf([entity, spec]), (signal) =>
    sync.request<{ rows: R[] }>(`/api/aggregate/${segment(entity)}`, { body: spec, signal }),
  );
  return useMemo(() => ({ data: data?.rows ?? null, loading, error, refresh }), [data, loading, error, refresh]);
}
