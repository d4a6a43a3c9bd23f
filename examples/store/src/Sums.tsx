import { euros, type Totals } from "../functions/shop/pricing.ts";

export function Sums({ totals: { goodsCents, shippingCents, totalCents } }: { totals: Totals }) {
  return (
    <dl className="sums">
      <div><dt>Goods</dt><dd>{euros(goodsCents)}</dd></div>
      <div><dt>Shipping</dt><dd>{shippingCents === 0 ? "free" : euros(shippingCents)}</dd></div>
      <div className="total"><dt>Total</dt><dd>{euros(totalCents)}</dd></div>
    </dl>
  );
}
