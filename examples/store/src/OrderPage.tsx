/** An order and where it is. Everything here is a row that the order's workflow writes: the page only shows it. */

import { db, type Order } from "./database.ts";
import { Lines } from "./Lines.tsx";
import { NotFound } from "./NotFound.tsx";
import { Outbox } from "./Outbox.tsx";
import { Progress } from "./Progress.tsx";
import { Sums } from "./Sums.tsx";
import { TimeLeft } from "./TimeLeft.tsx";

const HEADINGS: Readonly<Record<string, string>> = {
  placed: "Waiting for your payment",
  paid: "Paid, and being packed",
  shipped: "On its way to you",
  cancelled: "Cancelled",
};

export function OrderPage({ id }: { id: string }) {
  const { data: order, loading } = db.useQueryOne("Order", id);
  const { data: lines } = db.useQuery("OrderLine", { where: { orderId: id } });
  if (order === null) return loading ? null : <NotFound what="order" />;

  const { number, status, name, address, totalCents, shippingCents } = order;
  const totals = { goodsCents: totalCents - shippingCents, shippingCents, totalCents };
  return (
    <div className="order">
      <div className="order-head">
        <p className="muted">Order {number}</p>
        <div role="status"><h1>{HEADINGS[status]}</h1></div>
        {status === "placed" && <StillToPay order={order} />}
      </div>
      <div className="card order-progress"><Progress order={order} /></div>
      <section className="card" aria-label="What you ordered">
        <h2>What you ordered</h2>
        <Lines lines={lines} />
        <Sums totals={totals} />
        <h3>It goes to</h3>
        <address>{name}{"\n"}{address}</address>
      </section>
      <Outbox orderId={id} />
    </div>
  );
}

function StillToPay({ order }: { order: Order }) {
  return (
    <p className="still-to-pay">
      <a className="primary" href={`#/pay/${order.id}`}>Pay now</a>
      <span className="muted"><TimeLeft until={order.payBefore} /></span>
    </p>
  );
}
