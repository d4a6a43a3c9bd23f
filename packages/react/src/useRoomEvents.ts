/** What happens in a room as it happens: who joins and leaves, what they say of themselves and to all. */

import type { RoomEvent, SyncEngine } from "@pylonsync/sync";
import { useEffect, useRef } from "react";

/** Calls `handler` with each event of the room while the component is there. Being a member is `useRoom`'s business. */
export function useRoomEvents(sync: SyncEngine, roomId: string, handler: (event: RoomEvent) => void): void {
  const latest = useRef(handler);
  useEffect(() => void (latest.current = handler));
  useEffect(
    () =>
      sync.onRoomEvent((event) => {
        if (event.room === roomId) latest.current(event);
      }),
    [sync, roomId],
  );
}
