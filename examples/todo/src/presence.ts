/**
 * Who else looks at a list, and at which of its todos.
 *
 * What is said reaches everybody who is connected to the server, so a place is told by the first characters of the
 * list's id: enough for those who know the list, useless to all others.
 */

import { useMemo } from "react";
import { db } from "./schema.ts";

const PLACE_CHARS = 8;

interface Place {
  readonly place: string;
  readonly todoId: string | null;
}

/** By user id, everybody at the list but ourselves. */
export type Present = ReadonlyMap<string, Place>;

export function usePresence(listId: string, todoId: string | null): Present {
  const place = listId.slice(0, PLACE_CHARS);
  const connection = db.useConnection();
  const { peers } = db.usePresence<Partial<Place>>({ place, todoId });

  return useMemo(() => {
    // Without a connection nobody can be seen to leave.
    const here = connection === "connected" ? peers.filter(({ data }) => data.place === place) : [];
    return new Map(here.map(({ userId, data }) => [userId, { place, todoId: data.todoId ?? null }]));
  }, [peers, place, connection]);
}
