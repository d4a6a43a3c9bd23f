/** The cart: rows of one's own, live in every tab, and changed on the page before the server has heard of it. */

import { useMemo } from "react";
import { type Totals, totalsOf } from "../functions/shop/pricing.ts";
import { type CartItem, db, type Product } from "./database.ts";

export interface CartLine {
  readonly item: CartItem;
  readonly product: Product;
}

export interface Cart extends Totals {
  readonly lines: readonly CartLine[];
  readonly count: number;
  readonly loading: boolean;
}

export function useCart(): Cart {
  const { data: items, loading } = db.useQuery("CartItem");
  const { data: products } = db.useQuery("Product");
  return useMemo(() => {
    const byId = new Map(products.map((product) => [product.id, product]));
    const lines = items.flatMap((item) => {
      const product = byId.get(item.productId);
      return product === undefined ? [] : [{ item, product }];
    });
    const priced = lines.map(({ item, product }) => ({ quantity: item.quantity, priceCents: product.priceCents }));
    const count = priced.reduce((sum, { quantity }) => sum + quantity, 0);
    return { lines, count, loading, ...totalsOf(priced) };
  }, [items, products, loading]);
}

export function setQuantity({ id }: CartItem, quantity: number): Promise<void> {
  if (quantity < 1) return db.delete("CartItem", id);
  return db.update("CartItem", id, { quantity, touchedAt: new Date().toISOString() });
}
