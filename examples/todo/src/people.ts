/** Who has a seat at a list. */

import { type List, SEATS, type Seats } from "./schema.ts";
import type { Me } from "./session.ts";

export interface Person {
  readonly userId: string;
  readonly name: string;
}

export function peopleOf(list: List): Person[] {
  const people = SEATS.map((seat) => ({ userId: list[`seat${seat}`], name: list[`name${seat}`] }));
  return people.filter(({ userId }) => userId !== "");
}

export function isFull(list: List): boolean {
  return peopleOf(list).length === SEATS.length;
}

/** The seats and names of a list that nobody has joined yet. */
export function seatedAlone({ userId, name }: Me): Omit<List, "id" | "title" | "createdAt"> {
  return { seat1: userId, name1: name, seat2: "", name2: "", seat3: "", name3: "", seat4: "", name4: "" };
}

/** Only the seats: whoever may see a list may see its todos. */
export function seatsOf({ seat1, seat2, seat3, seat4 }: Seats): Seats {
  return { seat1, seat2, seat3, seat4 };
}

export function sameSeats(a: Seats, b: Seats): boolean {
  return SEATS.every((seat) => a[`seat${seat}`] === b[`seat${seat}`]);
}
