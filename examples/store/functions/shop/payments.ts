/** What the payment provider sends. */

export const SIGNATURE_HEADER = "x-signature";

export interface PaymentEvent {
  /** The provider sends an event again until it is answered; the id stays the same. */
  readonly id: string;
  readonly type: "payment.succeeded";
  /** The number of the order. */
  readonly order: string;
  readonly amountCents: number;
}
