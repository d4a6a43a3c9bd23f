/**
 * `POST /api/webhooks/paymentEvents`: where the payment provider tells of payments. Anyone can send something here, so
 * nothing is looked at before the signature is: HMAC-SHA256 of the body as it came, with the secret both sides know.
 */

import { action } from "@pylonsync/functions";
import type { PaymentOutcome } from "./recordPayment.ts";
import { type PaymentEvent, SIGNATURE_HEADER } from "./shop/payments.ts";
import { isSame, secret, signature } from "./shop/signature.ts";

export default action({
  handler: async (ctx): Promise<PaymentOutcome> => {
    if (ctx.request === undefined) throw ctx.error("NOT_A_WEBHOOK", "Use /api/webhooks/paymentEvents.");
    const { rawBytes, rawBody, headers } = ctx.request;
    const expected = signature(secret(ctx.env, "STORE_WEBHOOK_SECRET"), rawBytes);
    if (!isSame(expected, headers[SIGNATURE_HEADER] ?? "")) {
      throw ctx.error("BAD_SIGNATURE", "The signature does not fit the body.");
    }
    const { id, order, amountCents } = JSON.parse(rawBody) as PaymentEvent;
    return ctx.runMutation("recordPayment", { eventId: id, orderNumber: order, amountCents });
  },
});
