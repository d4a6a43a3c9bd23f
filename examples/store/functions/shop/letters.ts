/** What the shop writes to people about an order. */

import { euros } from "./pricing.ts";
import type { Order, OrderLine } from "./rows.ts";

export const LETTERS = ["placed", "paid", "shipped", "cancelled"] as const;
export type Letter = (typeof LETTERS)[number];

const SUBJECTS: Record<Letter, string> = {
  placed: "We have your order",
  paid: "Thank you, your payment arrived",
  shipped: "Your parcel is on its way",
  cancelled: "Your order was cancelled",
};

export function subjectOf(letter: Letter, order: Order): string {
  return `${SUBJECTS[letter]} (${order.number})`;
}

export function bodyOf(letter: Letter, order: Order, lines: readonly OrderLine[]): string {
  return [`Dear ${order.name},`, messageOf(letter, order, lines), "Nook"].join("\n\n");
}

function messageOf(letter: Letter, order: Order, lines: readonly OrderLine[]): string {
  switch (letter) {
    case "placed":
      return [
        "we have put these aside for you:",
        ...lines.map(({ name, quantity, priceCents }) => `${quantity} × ${name}, ${euros(priceCents * quantity)}`),
        `Shipping: ${order.shippingCents === 0 ? "free" : euros(order.shippingCents)}`,
        `Total: ${euros(order.totalCents)}`,
      ].join("\n");
    case "paid":
      return `your ${euros(order.totalCents)} arrived, and we are packing your order.`;
    case "shipped":
      return `your parcel left our shop for\n${order.address}`;
    case "cancelled":
      return "no payment came in time, so we have put everything back on the shelf. Nothing was charged.";
  }
}
