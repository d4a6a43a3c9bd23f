/** Take a seat in the chat, or change the name on it. */

import { mutation, v } from "@pylonsync/functions";

const NAME_CHARS_MAX = 24;

export default mutation({
  args: { name: v.string() },
  handler: async (ctx, args) => {
    const { userId } = ctx.auth;
    if (userId === null) throw ctx.error("AUTH_REQUIRED", "Start a session first.");
    const name = args.name.trim();
    if (name === "") throw ctx.error("INVALID_NAME", "Please choose a name.");
    if (name.length > NAME_CHARS_MAX) {
      throw ctx.error("INVALID_NAME", `A name has at most ${NAME_CHARS_MAX} characters.`);
    }

    const seat = { userId, name, seenAt: new Date().toISOString() };
    const member = await ctx.db.lookup("Member", "userId", userId);
    if (member === null) return { id: await ctx.db.insert("Member", seat) };
    await ctx.db.update("Member", member.id, seat);
    return { id: member.id };
  },
});
