/**
 * The life of an order, from the cash desk to the post office. It may take days, and goes on after any restart: what
 * is over is remembered, and each step's mutation takes effect once. `checkout` begins it, `recordPayment` tells it.
 */

import { workflow } from "@pylonsync/workflows";
import type { Letter } from "./shop/letters.ts";

interface Input {
  readonly orderId: string;
  /** Durations, such as `1h`. They are part of the input, so that they stay as they were promised. */
  readonly payWithin: string;
  readonly packFor: string;
}

export default workflow<Input>("order", async (ctx, { step, sleep, waitForEvent }) => {
  const { orderId, payWithin, packFor } = ctx.input;
  const run = <T>(fn: string, args: object = {}) => ctx.runMutation<T>(fn, { orderId, ...args });
  const write = (letter: Letter) => step(`email: ${letter}`, () => run("sendOrderEmail", { letter }));

  await write("placed");
  const payment = await waitForEvent("paid", { timeout: payWithin });
  if (payment === null) {
    // A payment may have been recorded just now: then there is nothing to cancel, and the order goes on.
    const { cancelled } = await step("cancel", () => run<{ cancelled: boolean }>("cancelOrder"));
    if (cancelled) {
      await write("cancelled");
      return "cancelled";
    }
  }

  await write("paid");
  await sleep(packFor);
  await step("ship", () => run("shipOrder"));
  await write("shipped");
  return "shipped";
}, { internal: true });
