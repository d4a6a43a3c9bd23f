/** Messages on a topic, to and from everybody in the tenant who is connected. Nothing of them is kept. */

import type { SyncEngine } from "@pylonsync/sync";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

export interface TopicMessage<T> {
  data: T;
  /** The sender's user id, as the server knows it. */
  from: string | null;
}

export interface TopicResult<T> {
  /** The last one since the component came; null before. */
  message: TopicMessage<T> | null;
  /** To everybody, ourselves included. Dropped while not connected. */
  publish: (data: T) => void;
}

/** `onMessage` hears each message; `message` may pass over some that come in one go. */
export function useTopic<T = unknown>(
  sync: SyncEngine,
  topic: string,
  onMessage?: (message: TopicMessage<T>) => void,
): TopicResult<T> {
  const [last, setLast] = useState<{ topic: string; message: TopicMessage<T> } | null>(null);
  const handler = useRef(onMessage);
  useEffect(() => void (handler.current = onMessage));

  useEffect(
    () =>
      sync.onTopic(topic, (data, from) => {
        // What is published is the app's word.
        const message = { data: data as T, from };
        setLast({ topic, message });
        handler.current?.(message);
      }),
    [sync, topic],
  );

  const publish = useCallback((data: T) => sync.publishTopic(topic, data), [sync, topic]);
  const message = last?.topic === topic ? last.message : null;
  return useMemo(() => ({ message, publish }), [message, publish]);
}
