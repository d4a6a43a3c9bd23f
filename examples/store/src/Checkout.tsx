/** Name, address, and the order. The server reckons again and refuses what is not what was shown. */

import type { FormEvent } from "react";
import { useCart } from "./cart.ts";
import { db } from "./database.ts";
import { Lines } from "./Lines.tsx";
import { go } from "./route.ts";
import { Sums } from "./Sums.tsx";

export function Checkout() {
  const cart = useCart();
  const { data: customers, loading: isLoadingCustomer } = db.useQuery("Customer");
  const { mutate, loading, data, error } = db.useMutation("checkout");
  const [known] = customers;

  if (data !== null || cart.loading || isLoadingCustomer) return null; // done, or not there yet
  if (cart.lines.length === 0) {
    return (
      <div className="nothing">
        <h1>Your cart is empty</h1>
        <a className="quiet" href="#/">Back to the shop</a>
      </div>
    );
  }

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "");
    const details = { name: text("name"), email: text("email"), address: text("address") };
    mutate({ ...details, totalCents: cart.totalCents }).then(
      ({ orderId }) => go(`#/pay/${orderId}`, { replace: true }),
      () => {}, // `error` says it
    );
  };

  return (
    <form className="checkout" onSubmit={submit}>
      <div className="card details">
        <h1>Where shall it go?</h1>
        <label>
          Name
          <input name="name" required maxLength={300} autoComplete="name" defaultValue={known?.name} />
        </label>
        <label>
          Email
          <input name="email" type="email" required maxLength={300} autoComplete="email" defaultValue={known?.email} />
        </label>
        <label>
          Address
          <textarea
            name="address"
            required
            rows={3}
            maxLength={300}
            autoComplete="street-address"
            defaultValue={known?.address}
          />
        </label>
      </div>
      <section className="card summary" aria-label="Your order">
        <h2>Your order</h2>
        <Lines lines={cart.lines.map(({ item, product }) => ({ ...product, id: item.id, quantity: item.quantity }))} />
        <Sums totals={cart} />
        {error !== null && <p className="problem" role="alert">{error.message}</p>}
        <button type="submit" className="primary large" disabled={loading}>Order and pay</button>
      </section>
    </form>
  );
}
