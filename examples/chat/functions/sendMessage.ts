/**
 * Say something, to everyone or to one member.
 *
 * The only way to write a message: the manifest lets no client write one itself. So the author is who the
 * server knows is calling, under the name they joined with, and nobody speaks faster than `BURST` allows.
 */

import { mutation, v } from "@pylonsync/functions";

const BODY_CHARS_MAX = 500;
const BURST = { messages: 8, windowMs: 10_000 };

interface Member {
  readonly userId: string;
  readonly name: string;
}

export default mutation({
  args: { body: v.string(), recipientId: v.optional(v.string()) },
  handler: async (ctx, args) => {
    const { userId } = ctx.auth;
    if (userId === null) throw ctx.error("AUTH_REQUIRED", "Start a session first.");
    const author = await ctx.db.lookup<Member>("Member", "userId", userId);
    if (author === null) throw ctx.error("NOT_A_MEMBER", "Join the chat first.");

    const body = args.body.trim();
    if (body === "") throw ctx.error("INVALID_MESSAGE", "There is nothing to send.");
    if (body.length > BODY_CHARS_MAX) {
      throw ctx.error("INVALID_MESSAGE", `A message has at most ${BODY_CHARS_MAX} characters.`);
    }

    const now = Date.now();
    const since = new Date(now - BURST.windowMs).toISOString();
    const recent = await ctx.db.query("Message", {
      authorId: userId,
      sentAt: { $gt: since },
      $limit: BURST.messages,
    });
    if (recent.length >= BURST.messages) {
      throw ctx.error("RATE_LIMITED", "You are writing very fast. Take a breath.");
    }

    const recipient = args.recipientId ? await ctx.db.lookup<Member>("Member", "userId", args.recipientId) : null;
    if (args.recipientId && recipient === null) throw ctx.error("NO_SUCH_MEMBER", "They are not here.");
    if (recipient?.userId === userId) throw ctx.error("INVALID_MESSAGE", "You cannot whisper to yourself.");

    const id = await ctx.db.insert("Message", {
      body,
      authorId: userId,
      authorName: author.name,
      recipientId: recipient?.userId ?? null,
      recipientName: recipient?.name ?? null,
      sentAt: new Date(now).toISOString(),
    });
    return { id };
  },
});
