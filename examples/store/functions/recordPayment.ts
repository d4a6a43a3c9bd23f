/**
 * Note a payment and tell the order's workflow, in one transaction. However often the provider repeats itself, a payment
 * counts once; one that came too late, a second time or with another amount is noted to be sent back.
 */

import { mutation, v } from "@pylonsync/functions";
import type { Order } from "./shop/rows.ts";

export interface PaymentOutcome {
  readonly outcome: "accepted" | "refund" | "repeated";
}

export default mutation({
  internal: true,
  args: { eventId: v.string(), orderNumber: v.string(), amountCents: v.int() },
  handler: async (ctx, { eventId, orderNumber, amountCents }): Promise<PaymentOutcome> => {
    if ((await ctx.db.lookup("Payment", "eventId", eventId)) !== null) return { outcome: "repeated" };

    const receivedAt = new Date().toISOString();
    const order = await ctx.db.lookup<Order>("Order", "number", orderNumber);
    const isAccepted = order?.status === "placed" && order.totalCents === amountCents;
    const outcome = isAccepted ? "accepted" : "refund";
    await ctx.db.insert("Payment", { eventId, orderNumber, amountCents, outcome, receivedAt });
    if (isAccepted) {
      await ctx.db.update("Order", order.id, { status: "paid", paidAt: receivedAt });
      await ctx.workflows.send(order.workflowId, "paid", { eventId });
    }
    return { outcome };
  },
});
