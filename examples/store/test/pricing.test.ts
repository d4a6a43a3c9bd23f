import { expect, test } from "bun:test";
import { euros, FREE_SHIPPING_FROM_CENTS, SHIPPING_CENTS, totalsOf } from "../functions/shop/pricing.ts";

test.each([
  ["nothing", [], 0, 0],
  ["little", [{ priceCents: 1_000, quantity: 2 }], 2_000, SHIPPING_CENTS],
  ["a cent too little", [{ priceCents: FREE_SHIPPING_FROM_CENTS - 1, quantity: 1 }], 7_999, SHIPPING_CENTS],
  ["enough", [{ priceCents: FREE_SHIPPING_FROM_CENTS / 2, quantity: 2 }], 8_000, 0],
])("shipping of %s", (_, lines, goodsCents, shippingCents) => {
  expect(totalsOf(lines)).toEqual({ goodsCents, shippingCents, totalCents: goodsCents + shippingCents });
});

test("amounts are written in euros", () => {
  expect(euros(123_450)).toBe("€1,234.50");
});
