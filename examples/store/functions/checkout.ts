/**
 * Turn the caller's cart into an order. One transaction: the stock is checked and taken, the order is written, the
 * cart emptied and the order's workflow begun, or nothing of it happens. Of two who want the last piece, one gets it.
 */

import { type MutationContext, mutation, v } from "@pylonsync/functions";
import { parseDuration } from "@pylonsync/workflows";
import { type Priced, totalsOf } from "./shop/pricing.ts";
import type { CartItem, Customer, Product } from "./shop/rows.ts";

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const CHARS_MAX = 300;
/** Without signs that look alike. */
const NUMBER_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
const NUMBER_CHARS = 6;

interface Wanted extends Priced {
  readonly item: CartItem;
  readonly product: Product;
}

interface Details {
  readonly name: string;
  readonly email: string;
  readonly address: string;
}

export default mutation({
  args: { name: v.string(), email: v.string(), address: v.string(), totalCents: v.int() },
  handler: async (ctx, args) => {
    const { userId: ownerId } = ctx.auth;
    if (ownerId === null) throw ctx.error("AUTH_REQUIRED", "Start a session first.");
    const details = checkedDetails(ctx, args);
    const wanted = await cartOf(ctx, ownerId);
    const { shippingCents, totalCents } = totalsOf(wanted);
    if (totalCents !== args.totalCents) {
      throw ctx.error("PRICE_CHANGED", "Your cart or a price has changed. Please look at it once more.");
    }

    await takeFromStock(ctx, wanted);
    const workflowId = freshWorkflowId();
    const payWithin = ctx.env["STORE_PAY_WITHIN"] ?? "1h";
    const packFor = ctx.env["STORE_PACK_FOR"] ?? "1d";
    const now = Date.now();
    const placedAt = new Date(now).toISOString();
    const number = orderNumber();
    const orderId = await ctx.db.insert("Order", {
      ...details,
      ownerId,
      number,
      status: "placed",
      shippingCents,
      totalCents,
      workflowId,
      placedAt,
      payBefore: new Date(now + 1000 * parseDuration(payWithin)).toISOString(),
    });
    for (const { item, product, quantity, priceCents } of wanted) {
      const { id: productId, name, shape, colour } = product;
      const line = { ownerId, orderId, productId, name, shape, colour, priceCents, quantity, boughtAt: placedAt };
      await ctx.db.insert("OrderLine", line);
      await ctx.db.delete("CartItem", item.id);
    }
    await remember(ctx, ownerId, details);
    await ctx.workflows.start("order", { orderId, payWithin, packFor }, { id: workflowId });
    return { orderId, number };
  },
});

function checkedDetails(ctx: MutationContext, args: Details): Details {
  const [name, email, address] = [args.name.trim(), args.email.trim(), args.address.trim()];
  if (!name || !address) throw ctx.error("INCOMPLETE", "We need a name and an address.");
  if (!EMAIL.test(email)) throw ctx.error("INVALID_EMAIL", "That is no email address.");
  if (Math.max(name.length, email.length, address.length) > CHARS_MAX) {
    throw ctx.error("TOO_LONG", `Each of these has at most ${CHARS_MAX} characters.`);
  }
  return { name, email, address };
}

async function cartOf(ctx: MutationContext, ownerId: string): Promise<Wanted[]> {
  const items = await ctx.db.query<CartItem>("CartItem", { ownerId });
  if (items.length === 0) throw ctx.error("EMPTY_CART", "Your cart is empty.");
  const products = await ctx.db.query<Product>("Product", { id: { $in: items.map(({ productId }) => productId) } });
  const byId = new Map(products.map((product) => [product.id, product]));
  return items.map((item) => {
    const product = byId.get(item.productId);
    if (product === undefined) throw ctx.error("NO_SUCH_PRODUCT", "We no longer have something in your cart.");
    return { item, product, quantity: item.quantity, priceCents: product.priceCents };
  });
}

async function takeFromStock(ctx: MutationContext, wanted: readonly Wanted[]): Promise<void> {
  for (const { product, quantity } of wanted) {
    const stock = product.stock - quantity;
    if (stock < 0) {
      const left = product.stock === 0 ? "just sold out" : `down to ${product.stock}`;
      throw ctx.error("OUT_OF_STOCK", `“${product.name}” is ${left}.`);
    }
    await ctx.db.update("Product", product.id, { stock, available: stock > 0, sold: product.sold + quantity });
  }
}

async function remember(ctx: MutationContext, ownerId: string, details: Details): Promise<void> {
  const customer = await ctx.db.lookup<Customer>("Customer", "ownerId", ownerId);
  if (customer === null) await ctx.db.insert("Customer", { ownerId, ...details });
  else await ctx.db.update("Customer", customer.id, { ...details });
}

function orderNumber(): string {
  const random = crypto.getRandomValues(new Uint32Array(NUMBER_CHARS));
  return Array.from(random, (value) => NUMBER_SIGNS[value % NUMBER_SIGNS.length]).join("");
}

function freshWorkflowId(): string {
  return `wf_${Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex")}`;
}
