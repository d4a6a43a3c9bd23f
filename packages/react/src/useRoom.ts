/** Who else is in a room, and what they say of themselves. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { NOT_IN_ROOM, type Peer, type RoomMembership, type RoomState, roomMembership } from "./roomMembership.ts";

export interface RoomOptions {
  /** Without it, that of `configureClient`. */
  baseUrl?: string | undefined;
  /** Instead of the stored token. */
  token?: string | undefined;
  /** What the others see of us from the start; that of the first component which joins counts. */
  initialPresence?: unknown;
  /** Milliseconds between looks at who is there. */
  heartbeatInterval?: number | undefined;
}

export interface RoomResult {
  /** Everybody in the room but us. */
  peers: Peer[];
  isConnected: boolean;
  /** Why the room could not be joined. */
  error: Error | null;
  setPresence: (data: unknown) => Promise<void>;
  broadcast: (topic: string, data: unknown) => Promise<void>;
  leave: () => Promise<void>;
}

/** In the room while mounted. Several components with the same arguments are one member. */
export function useRoom(roomId: string, userId: string, options: RoomOptions = {}): RoomResult {
  const { baseUrl, token, initialPresence = {}, heartbeatInterval = 5000 } = options;
  const [state, setState] = useState<RoomState>(NOT_IN_ROOM);
  const membership = useRef<RoomMembership | null>(null);
  const presence = useRef(initialPresence);

  useEffect(() => {
    const room = roomMembership({ roomId, userId, baseUrl, token, heartbeatInterval });
    membership.current = room;
    const unsubscribe = room.subscribe(() => setState(room.getSnapshot()));
    const release = room.acquire(presence.current);
    setState(room.getSnapshot());
    return () => {
      unsubscribe();
      release();
      membership.current = null;
    };
  }, [roomId, userId, baseUrl, token, heartbeatInterval]);

  const setPresence = useCallback(async (data: unknown) => membership.current?.setPresence(data), []);
  const broadcast = useCallback(async (topic: string, data: unknown) => membership.current?.broadcast(topic, data), []);
  const leave = useCallback(async () => membership.current?.leave(), []);
  return useMemo(
    () => ({ ...state, setPresence, broadcast, leave }),
    [state, setPresence, broadcast, leave],
  );
}
