/** The rows that functions read, as the generated client describes them. */

export type { CartItem, Customer, Email, Order, OrderLine, Product } from "../../pylon.client.ts";
