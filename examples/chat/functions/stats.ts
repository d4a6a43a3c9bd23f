/** How busy the chat is. Functions read past the policies, so whispers are left out by hand. */

import { query } from "@pylonsync/functions";

const HOUR_MS = 60 * 60 * 1000;

export default query({
  handler: async (ctx) => {
    const since = new Date(Date.now() - HOUR_MS).toISOString();
    const messages = await ctx.db.query("Message", { sentAt: { $gt: since } });
    const spoken = messages.filter((message) => message["recipientId"] == null);
    return { messagesLastHour: spoken.length, voicesLastHour: new Set(spoken.map((m) => m["authorId"])).size };
  },
});
