/** Nobody paid in time: the order ends, and what it held goes back on the shelf. A step of the order's workflow. */

import { mutation, v } from "@pylonsync/functions";
import type { Order, OrderLine, Product } from "./shop/rows.ts";

export default mutation({
  internal: true,
  args: { orderId: v.id("Order") },
  handler: async (ctx, { orderId }) => {
    const order = await ctx.db.get<Order>("Order", orderId);
    if (order?.status !== "placed") return { cancelled: false };

    for (const { productId, quantity } of await ctx.db.query<OrderLine>("OrderLine", { orderId })) {
      const product = await ctx.db.get<Product>("Product", productId);
      if (product === null) continue;
      const { stock, sold } = product;
      await ctx.db.update("Product", productId, { stock: stock + quantity, available: true, sold: sold - quantity });
    }
    await ctx.db.update("Order", orderId, { status: "cancelled", cancelledAt: new Date().toISOString() });
    return { cancelled: true };
  },
});
