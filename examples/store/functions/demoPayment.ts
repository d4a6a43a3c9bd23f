/**
 * A STAND-IN for a payment provider, which this example cannot have: it signs that the caller has paid their order, as
 * the provider would once the money is there. The page then sends it to the webhook. Only where STORE_DEMO_PAYMENTS is 1.
 */

import { query, v } from "@pylonsync/functions";
import type { PaymentEvent } from "./shop/payments.ts";
import type { Order } from "./shop/rows.ts";
import { secret, signature } from "./shop/signature.ts";

export default query({
  args: { orderId: v.id("Order") },
  handler: async (ctx, { orderId }) => {
    if (ctx.env["STORE_DEMO_PAYMENTS"] !== "1") return null;
    const order = await ctx.asUser().db.get<Order>("Order", orderId);
    if (order === null) return null;
    const event: PaymentEvent = {
      id: `evt_${crypto.randomUUID()}`,
      type: "payment.succeeded",
      order: order.number,
      amountCents: order.totalCents,
    };
    const body = JSON.stringify(event);
    return { body, signature: signature(secret(ctx.env, "STORE_WEBHOOK_SECRET"), body) };
  },
});
