/** The state of a shard in a component. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { connectShard, type ShardConnection, type ShardOptions } from "./shard.ts";

interface ShardState<S> {
  /** Null until the first frame. */
  snapshot: S | null;
  tick: number;
  connected: boolean;
  /** The last error; it stays. */
  error: Error | null;
}

export interface ShardResult<S, I> extends ShardState<S> {
  /** The input's number, from 1 on; 0 when there is no client. */
  send: (input: I) => number;
  close: () => void;
}

const UNCONNECTED = { snapshot: null, tick: 0, connected: false, error: null };

/** Another shard, subscriber, token or address is another connection. */
export function useShard<S = unknown, I = unknown>(shardId: string, options: ShardOptions): ShardResult<S, I> {
  const { subscriberId, token, baseUrl, wsPort, wsUrl, autoReconnect, reconnectBackoffMs } = options;
  const [state, setState] = useState<ShardState<S>>(UNCONNECTED);
  const client = useRef<ShardConnection<S, I> | null>(null);

  useEffect(() => {
    const address = { subscriberId, token, baseUrl, wsPort, wsUrl };
    const shard = connectShard<S, I>(shardId, { ...address, autoReconnect, reconnectBackoffMs });
    client.current = shard;
    setState(UNCONNECTED);
    const show = (change: Partial<ShardState<S>>): void => setState((before) => ({ ...before, ...change }));
    const unsubscribes = [
      shard.onSnapshot((snapshot, tick) => show({ snapshot, tick })),
      shard.onOpen(() => show({ connected: true })),
      shard.onClose(() => show({ connected: false })),
      shard.onError((error) => show({ error })),
    ];
    return () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      shard.close();
      client.current = null;
    };
  }, [shardId, subscriberId, token, baseUrl, wsPort, wsUrl, autoReconnect, reconnectBackoffMs]);

  const send = useCallback((input: I) => client.current?.send(input) ?? 0, []);
  const close = useCallback(() => client.current?.close(), []);
  return useMemo(() => ({ ...state, send, close }), [state, send, close]);
}
