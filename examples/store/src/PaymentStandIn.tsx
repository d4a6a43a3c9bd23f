/**
 * A STAND-IN for the page of a payment provider. `demoPayment` signs what a provider would sign, and this page sends it
 * to the webhook as the provider would: over HTTP, with a signature, and with nobody's session.
 */

import { useState } from "react";
import { euros } from "../functions/shop/pricing.ts";
import { SIGNATURE_HEADER } from "../functions/shop/payments.ts";
import { db, type Order } from "./database.ts";
import { NotFound } from "./NotFound.tsx";
import { go } from "./route.ts";
import { TimeLeft } from "./TimeLeft.tsx";

export function PaymentStandIn({ id }: { id: string }) {
  const { data: order, loading } = db.useQueryOne("Order", id);
  if (order === null) return loading ? null : <NotFound what="order" />;
  return (
    <div className="stand-in card">
      <p className="stand-in-mark"><strong>Demo.</strong> This stands in for a payment provider. No money moves.</p>
      <div className="stand-in-body">
        <p className="muted">Order {order.number} at Nook</p>
        <h1>{euros(order.totalCents)}</h1>
        {order.status === "placed" ? <Payment order={order} /> : <p>There is nothing to pay any more.</p>}
        <a className="quiet" href={`#/order/${id}`}>To the order{order.status === "placed" && ", without paying"}</a>
      </div>
    </div>
  );
}

function Payment({ order }: { order: Order }) {
  const [isBusy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<string | null>(null);

  const pay = async (forge: (signature: string) => string) => {
    setBusy(true);
    setAnswer(null);
    try {
      const refusal = await sendEvent(order.id, forge);
      if (refusal === null) go(`#/order/${order.id}`);
      else setAnswer(refusal);
    } catch {
      setAnswer("The shop cannot be reached. Please try again.");
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <button type="button" className="primary large" disabled={isBusy} onClick={() => pay((signature) => signature)}>
        Pay {euros(order.totalCents)}
      </button>
      <button type="button" className="quiet" disabled={isBusy} onClick={() => pay((signature) => `0${signature.slice(1)}x`)}>
        Try it with a forged signature
      </button>
      {answer !== null && <p className="problem" role="alert">{answer}</p>}
      <p className="muted"><TimeLeft until={order.payBefore} /> Then the order is cancelled by itself.</p>
    </>
  );
}

/** Null when the shop accepted it, else why it did not. */
async function sendEvent(orderId: string, forge: (signature: string) => string): Promise<string | null> {
  const signed = await db.fn("demoPayment", { orderId });
  if (signed === null) return "This shop has no stand-in: STORE_DEMO_PAYMENTS is not 1.";
  const response = await fetch("/api/webhooks/paymentEvents", {
    method: "POST",
    credentials: "omit",
    headers: { [SIGNATURE_HEADER]: forge(signed.signature) },
    body: signed.body,
  });
  if (response.ok) return null;
  const { message } = (await response.json()) as { message: string };
  return `The shop answered ${response.status}: ${message}`;
}
