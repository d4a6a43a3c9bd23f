/** The entities and functions of the manifest as types, and the database that knows them. */

import { createTypedDb } from "@pylonsync/react";

export const SEATS = [1, 2, 3, 4] as const;
type Seat = (typeof SEATS)[number];

/** The user ids of those who may see a row, and `""` for a seat that is free. */
export type Seats = Record<`seat${Seat}`, string>;

export interface List extends Seats, Record<`name${Seat}`, string> {
  id: string;
  title: string;
  createdAt: string;
}

export interface Todo extends Seats {
  id: string;
  listId: string;
  title: string;
  done: boolean;
  /** Todos are in the order of these numbers. */
  position: number;
  /** Edited by several people at once: see Notes.tsx. */
  notes: string;
}

export const db = createTypedDb<{
  entities: { List: List; Todo: Todo };
  functions: { join: { input: { listId: string; name: string }; output: { joined: boolean } } };
  queries: Record<string, never>;
}>();
