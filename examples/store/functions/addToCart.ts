/** Put a product into the caller's cart, or more of it. What is in a cart is not yet taken from the stock. */

import { mutation, v } from "@pylonsync/functions";
import { QUANTITY_MAX } from "./shop/pricing.ts";
import type { CartItem, Product } from "./shop/rows.ts";

export default mutation({
  args: { productId: v.id("Product") },
  handler: async (ctx, { productId }) => {
    const { userId: ownerId } = ctx.auth;
    if (ownerId === null) throw ctx.error("AUTH_REQUIRED", "Start a session first.");
    const product = await ctx.db.get<Product>("Product", productId);
    if (product === null) throw ctx.error("NO_SUCH_PRODUCT", "We no longer have this.");

    const [item] = await ctx.db.query<CartItem>("CartItem", { ownerId, productId });
    const quantity = (item?.quantity ?? 0) + 1;
    if (quantity > product.stock) {
      throw ctx.error("OUT_OF_STOCK", product.stock === 0 ? `“${product.name}” is sold out.` : noMoreThan(product));
    }
    if (quantity > QUANTITY_MAX) throw ctx.error("TOO_MANY", `A cart takes ${QUANTITY_MAX} of a kind.`);

    const change = { quantity, touchedAt: new Date().toISOString() };
    if (item === undefined) await ctx.db.insert("CartItem", { ownerId, productId, ...change });
    else await ctx.db.update("CartItem", item.id, change);
    return { quantity };
  },
});

function noMoreThan({ name, stock }: Product): string {
  return `There ${stock === 1 ? "is" : "are"} only ${stock} of “${name}” left.`;
}
