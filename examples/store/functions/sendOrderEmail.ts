/** Put a letter about an order into the outbox. A step of the order's workflow. */

import { mutation, v } from "@pylonsync/functions";
import { bodyOf, subjectOf } from "./shop/letters.ts";
import type { Order, OrderLine } from "./shop/rows.ts";

export default mutation({
  internal: true,
  args: {
    orderId: v.id("Order"),
    letter: v.union(v.literal("placed"), v.literal("paid"), v.literal("shipped"), v.literal("cancelled")),
  },
  handler: async (ctx, { orderId, letter }) => {
    const order = await ctx.db.get<Order>("Order", orderId);
    if (order === null) throw ctx.error("NO_SUCH_ORDER", "There is no such order.");
    const lines = await ctx.db.query<OrderLine>("OrderLine", { orderId });
    await ctx.db.insert("Email", {
      ownerId: order.ownerId,
      orderId,
      to: order.email,
      subject: subjectOf(letter, order),
      body: bodyOf(letter, order, lines),
      queuedAt: new Date().toISOString(),
    });
  },
});
