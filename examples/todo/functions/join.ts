/**
 * Take a seat at a list whose link one was given, and at each of its todos. Who has one already can join again: that
 * gives everybody a seat at todos which were written before their author knew of them.
 *
 * A function, because the policies let nobody write a list before they have a seat there. Whoever knows the id was
 * given the link: ids are random, and the server shows them to nobody else.
 */

import { type MutationContext, mutation, v } from "@pylonsync/functions";

const SEATS = ["seat1", "seat2", "seat3", "seat4"] as const;
const NAME_CHARS_MAX = 24;

interface Seated extends Record<(typeof SEATS)[number], string> {
  readonly id: string;
}

export default mutation({
  args: { listId: v.string(), name: v.string() },
  handler: async (ctx, args) => {
    const { userId } = ctx.auth;
    if (userId === null) throw ctx.error("AUTH_REQUIRED", "Start a session first.");
    const name = args.name.trim();
    if (name === "" || name.length > NAME_CHARS_MAX) {
      throw ctx.error("INVALID_NAME", `A name has 1 to ${NAME_CHARS_MAX} characters.`);
    }
    const list = await ctx.db.get<Seated>("List", args.listId);
    if (list === null) throw ctx.error("NO_SUCH_LIST", "There is no such list. Ask for the link again.");

    const isNew = SEATS.every((seat) => list[seat] !== userId);
    if (isNew) {
      const seat = SEATS.find((seat) => list[seat] === "");
      if (seat === undefined) throw ctx.error("LIST_FULL", `A list has room for ${SEATS.length} people.`);
      list[seat] = userId;
      await ctx.db.update("List", list.id, { [seat]: userId, [seat.replace("seat", "name")]: name });
    }
    await seatAtTodos(ctx, list);
    return { joined: isNew };
  },
});

async function seatAtTodos(ctx: MutationContext, list: Seated): Promise<void> {
  const { seat1, seat2, seat3, seat4 } = list;
  for (const todo of await ctx.db.query<Seated>("Todo", { listId: list.id })) {
    if (SEATS.some((seat) => todo[seat] !== list[seat])) {
      await ctx.db.update("Todo", todo.id, { seat1, seat2, seat3, seat4 });
    }
  }
}
