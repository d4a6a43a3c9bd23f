/** What an order costs. The page shows it by the same arithmetic, in whole cents. */

export const QUANTITY_MAX = 20;
export const SHIPPING_CENTS = 590;
export const FREE_SHIPPING_FROM_CENTS = 8_000;

export interface Priced {
  readonly priceCents: number;
  readonly quantity: number;
}

export interface Totals {
  readonly goodsCents: number;
  readonly shippingCents: number;
  readonly totalCents: number;
}

export function totalsOf(lines: readonly Priced[]): Totals {
  const goodsCents = lines.reduce((sum, { priceCents, quantity }) => sum + priceCents * quantity, 0);
  const isFree = goodsCents === 0 || goodsCents >= FREE_SHIPPING_FROM_CENTS;
  const shippingCents = isFree ? 0 : SHIPPING_CENTS;
  return { goodsCents, shippingCents, totalCents: goodsCents + shippingCents };
}

const EUROS = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

export function euros(cents: number): string {
  return EUROS.format(cents / 100);
}
