import { euros } from "../functions/shop/pricing.ts";
import { db } from "./database.ts";

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export function OrderList() {
  const { data: orders, loading } = db.useQuery("Order", { orderBy: { placedAt: "desc" } });
  if (loading) return null;
  if (orders.length === 0) {
    return (
      <div className="nothing">
        <h1>No orders yet</h1>
        <a className="quiet" href="#/">Look around the shop</a>
      </div>
    );
  }
  return (
    <div className="orders">
      <h1>Your orders</h1>
      <ul>
        {orders.map(({ id, number, status, totalCents, placedAt }) => (
          <li key={id}>
            <a className="card" href={`#/order/${id}`}>
              <strong>{number}</strong>
              <span className="muted">{DATE.format(new Date(placedAt))}</span>
              <span className="status" data-status={status}>{status}</span>
              <span className="price">{euros(totalCents)}</span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
