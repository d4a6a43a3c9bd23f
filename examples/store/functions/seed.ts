/** Fill the shelves of a new shop. The page calls it when it finds nothing; a shop that has products stays as it is. */

import { mutation } from "@pylonsync/functions";
import { shelves } from "./shop/shelves.ts";

const HOUR_MS = 3_600_000;

export default mutation({
  handler: async (ctx) => {
    const [any] = await ctx.db.query("Product", { $limit: 1 });
    if (any !== undefined) return { added: 0 };
    const products = shelves();
    const now = Date.now();
    for (const [index, product] of products.entries()) {
      // Not all at once, so that "newest" is a mixture: 7 and 60 have no factor in common.
      const addedAt = new Date(now - ((index * 7) % products.length) * HOUR_MS).toISOString();
      await ctx.db.insert("Product", { ...product, available: product.stock > 0, addedAt });
    }
    return { added: products.length };
  },
});
