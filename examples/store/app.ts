/**
 * What the shop is made of, and who may see and change it. `pylon dev` turns it into `pylon.manifest.json`, and into
 * `pylon.client.ts`, which knows the types of all rows and functions.
 *
 * Everybody sees the products. The rest belongs to whoever made it: `ownerId` is the guest's own id, and each rule
 * looks at nothing but the row and who asks. What has no `allow…` for writing is written by functions alone: prices,
 * stock, orders and emails.
 */

import { buildManifest, entity, field, policy, relation, schedule } from "@pylonsync/sdk";

const Product = entity(
  "Product",
  {
    name: field.string(),
    description: field.richtext(),
    category: field.string(),
    maker: field.string(),
    colour: field.string(),
    /** What its picture is drawn as: see src/Picture.tsx. */
    shape: field.string(),
    priceCents: field.int(),
    stock: field.int(),
    /** Whether there is any stock: as a field of its own it can be a facet. */
    available: field.bool(),
    sold: field.int(),
    addedAt: field.datetime(),
  },
  {
    crdt: false,
    search: {
      text: ["name", "category", "colour", "maker", "description"],
      facets: ["category", "colour", "maker", "available"],
      sortable: ["priceCents", "sold", "addedAt"],
      language: "english",
    },
  },
);

const CartItem = entity(
  "CartItem",
  {
    ownerId: field.string(),
    productId: field.id(Product),
    quantity: field.int(),
    touchedAt: field.datetime(),
  },
  {
    crdt: false,
    indexes: [
      { name: "once_in_a_cart", fields: ["ownerId", "productId"], unique: true },
      { name: "by_touch", fields: ["touchedAt"], unique: false },
    ],
    relations: [relation({ name: "product", target: Product, field: "productId" })],
  },
);

/** What somebody wrote at their last checkout, for the next one. */
const Customer = entity(
  "Customer",
  {
    ownerId: field.string().unique(),
    name: field.string(),
    email: field.string(),
    address: field.string(),
  },
  { crdt: false },
);

const Order = entity(
  "Order",
  {
    ownerId: field.string(),
    /** What people call it. */
    number: field.string().unique(),
    /** `placed`, then `paid` and `shipped`, or `cancelled`. */
    status: field.string(),
    name: field.string(),
    email: field.string(),
    address: field.string(),
    shippingCents: field.int(),
    totalCents: field.int(),
    workflowId: field.string(),
    placedAt: field.datetime(),
    payBefore: field.datetime(),
    paidAt: field.datetime().optional(),
    shippedAt: field.datetime().optional(),
    cancelledAt: field.datetime().optional(),
  },
  { crdt: false, indexes: [{ name: "by_owner", fields: ["ownerId", "placedAt"], unique: false }] },
);

/** As it was bought: names and prices of products may change. */
const OrderLine = entity(
  "OrderLine",
  {
    ownerId: field.string(),
    orderId: field.id(Order),
    productId: field.id(Product),
    name: field.string(),
    shape: field.string(),
    colour: field.string(),
    priceCents: field.int(),
    quantity: field.int(),
    boughtAt: field.datetime(),
  },
  {
    crdt: false,
    indexes: [
      { name: "by_order", fields: ["orderId"], unique: false },
      { name: "by_time", fields: ["boughtAt"], unique: false },
    ],
  },
);

/** What the payment provider told us, once each. Nobody's business but the shop's. */
const Payment = entity(
  "Payment",
  {
    eventId: field.string().unique(),
    orderNumber: field.string(),
    amountCents: field.int(),
    /** `accepted`, or `refund`: it came too late, twice, or was not the right amount. */
    outcome: field.string(),
    receivedAt: field.datetime(),
  },
  { crdt: false },
);

/** The outbox: a mailer would take these rows and send them. */
const Email = entity(
  "Email",
  {
    ownerId: field.string(),
    orderId: field.id(Order),
    to: field.string(),
    subject: field.string(),
    body: field.string(),
    queuedAt: field.datetime(),
  },
  { crdt: false, indexes: [{ name: "by_order", fields: ["orderId"], unique: false }] },
);

const own = "auth.userId == data.ownerId";

export default buildManifest({
  name: "store",
  version: "0.1.0",
  entities: [Product, CartItem, Customer, Order, OrderLine, Payment, Email],
  routes: [],
  policies: [
    policy({ name: "catalogue", entity: "Product", allowRead: "true", allowWrite: "false" }),
    policy({
      name: "own_cart",
      entity: "CartItem",
      allowRead: own,
      allowInsert: "false",
      allowUpdate: `${own} && data.productId == existing.productId && data.quantity >= 1 && data.quantity <= 20`,
      allowDelete: own,
    }),
    policy({ name: "own_details", entity: "Customer", allowRead: own, allowWrite: "false" }),
    policy({ name: "own_orders", entity: "Order", allowRead: own, allowWrite: "false" }),
    policy({ name: "own_order_lines", entity: "OrderLine", allowRead: own, allowWrite: "false" }),
    policy({ name: "payments", entity: "Payment", allow: "false" }),
    policy({ name: "own_emails", entity: "Email", allowRead: own, allowWrite: "false" }),
  ],
  schedules: [schedule({ name: "nightly", cron: "30 4 * * *", function: "sweepCarts", missed: "once" })],
});
