/** Calling a server function from a component, with what became of the call. */

import { useCallback, useMemo, useRef, useState } from "react";
import { callFn } from "./functions.ts";
import { toError } from "./request.ts";
import { useMounted } from "./useMounted.ts";

export interface MutationOptions {
  /** Instead of the stored token. */
  token?: string | undefined;
}

interface CallState<R> {
  /** True while the last call is under way. */
  loading: boolean;
  /** What the last call returned. */
  data: R | null;
  /** Why the last call failed. */
  error: Error | null;
}

/** Those of a function that needs something; of another they may be left out. */
export type CallArguments<A> = Record<never, never> extends A ? [args?: A] : [args: A];

export interface MutationResult<A, R> extends CallState<R> {
  /** Resolves to what the function returned; rejects when it failed, after `error` is set. */
  mutate: (...args: CallArguments<A>) => Promise<R>;
  /** The same as `mutate`. */
  mutateAsync: (...args: CallArguments<A>) => Promise<R>;
  /** Forget `data` and `error`; an answer that is still to come is not shown. */
  reset: () => void;
}

export interface FnResult<R> extends CallState<R> {
  call: (args?: unknown) => Promise<R>;
  reset: () => void;
}

const IDLE = { loading: false, data: null, error: null };

/** Calls are not given up when the component goes: a write that was begun is meant. */
export function useMutation<A = Record<string, unknown>, R = unknown>(
  fnName: string,
  options: MutationOptions = {},
): MutationResult<A, R> {
  const { token } = options;
  const [state, setState] = useState<CallState<R>>(IDLE);
  const mounted = useMounted();
  /** Counts calls and resets: only the newest call's outcome is shown. */
  const newest = useRef(0);

  const mutate = useCallback(
    async (...[args]: CallArguments<A>): Promise<R> => {
      const call = ++newest.current;
      const show = (change: Partial<CallState<R>>): void => {
        if (mounted.current && call === newest.current) setState((before) => ({ ...before, ...change }));
      };
      show({ loading: true, error: null });
      try {
        const data = await callFn<R>(fnName, args, { token });
        show({ loading: false, data });
        return data;
      } catch (thrown) {
        const error = toError(thrown);
        show({ loading: false, error });
        throw error;
      }
    },
    [fnName, token, mounted],
  );

  const reset = useCallback(() => {
    newest.current += 1;
    setState(IDLE);
  }, []);

  return useMemo(() => ({ ...state, mutate, mutateAsync: mutate, reset }), [state, mutate, reset]);
}

/** `useMutation` under the name for functions that are not writes. */
export function useFn<R = unknown>(name: string, options: MutationOptions = {}): FnResult<R> {
  const { mutate, loading, data, error, reset } = useMutation<unknown, R>(name, options);
  const call = useCallback((args: unknown = {}) => mutate(args), [mutate]);
  return useMemo(() => ({ call, loading, data, error, reset }), [call, loading, data, error, reset]);
}
