/** Forget carts that nobody has touched for a month. The schedule in app.ts runs it every night. */

import { mutation } from "@pylonsync/functions";
import type { CartItem } from "./shop/rows.ts";

const KEPT_DAYS = 30;
/** In one transaction; the rest is left for the next night. */
const SWEPT_MAX = 1_000;

export default mutation({
  internal: true,
  handler: async (ctx) => {
    const before = new Date(Date.now() - KEPT_DAYS * 86_400_000).toISOString();
    const old = await ctx.db.query<CartItem>("CartItem", { touchedAt: { $lt: before }, $limit: SWEPT_MAX });
    for (const { id } of old) await ctx.db.delete("CartItem", id);
    return { swept: old.length };
  },
});
