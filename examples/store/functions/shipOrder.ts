/** The parcel has left. A step of the order's workflow. */

import { mutation, v } from "@pylonsync/functions";
import { checkSeal } from "./shop/seal.ts";

export default mutation({
  args: { orderId: v.id("Order"), seal: v.string() },
  handler: async (ctx, { orderId, seal }) => {
    checkSeal(ctx, "shipOrder", orderId, seal);
    await ctx.db.update("Order", orderId, { status: "shipped", shippedAt: new Date().toISOString() });
  },
});
