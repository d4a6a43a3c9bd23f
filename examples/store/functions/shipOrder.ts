/** The parcel has left. A step of the order's workflow. */

import { mutation, v } from "@pylonsync/functions";

export default mutation({
  internal: true,
  args: { orderId: v.id("Order") },
  handler: async (ctx, { orderId }) => {
    await ctx.db.update("Order", orderId, { status: "shipped", shippedAt: new Date().toISOString() });
  },
});
