/**
 * The answer of a request that is made again when its question or the entity's rows change.
 *
 * One request is under way at a time: another one aborts it, and its answer, should it come, is not shown. While a new
 * answer is on its way the old one stays.
 */

import type { SyncEngine } from "@pylonsync/sync";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { debounce } from "./debounce.ts";
import { isAbort, toError } from "./request.ts";

/** How long rows must not have changed before the server is asked again, and for how long that may put it off. */
export const REFRESH_AFTER_MS = 150;
export const REFRESH_AFTER_MS_MAX = 2_000;

export interface ServerQueryState<T> {
  data: T | null;
  /** True until the question asked now has its answer; a refresh because rows changed does not count. */
  loading: boolean;
  error: Error | null;
}

export interface ServerQuery<T> extends ServerQueryState<T> {
  refresh: () => Promise<void>;
}

/** `ask` is called with the values of the render in which `key` became what it is. */
export function useServerQuery<T>(
  sync: SyncEngine,
  entity: string,
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
): ServerQuery<T> {
  const [state, setState] = useState<ServerQueryState<T> & { key: string }>(() => ({ ...UNANSWERED, key }));
  const running = useRef<AbortController | null>(null);
  const question = useMemo(() => ({ key, ask }), [key]);

  const load = useCallback(async (): Promise<void> => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    try {
      const data = await question.ask(controller.signal);
      if (!controller.signal.aborted) setState({ key: question.key, data, loading: false, error: null });
    } catch (thrown) {
      if (controller.signal.aborted || isAbort(thrown)) return;
      setState(({ data }) => ({ key: question.key, data, loading: false, error: toError(thrown) }));
    }
  }, [question]);

  useEffect(() => {
    void load();
    const soon = debounce(() => void load(), REFRESH_AFTER_MS, REFRESH_AFTER_MS_MAX);
    const unsubscribe = sync.store.subscribeEntity(entity, soon);
    return () => {
      unsubscribe();
      soon.cancel();
      running.current?.abort();
    };
  }, [sync, entity, load]);

  const refresh = useCallback((): Promise<void> => {
    setState((before) => ({ ...before, loading: true }));
    return load();
  }, [load]);

  const { data, error } = state;
  const loading = state.loading || state.key !== key;
  return useMemo(() => ({ data, loading, error, refresh }), [data, loading, error, refresh]);
}

const UNANSWERED = { data: null, loading: true, error: null };
