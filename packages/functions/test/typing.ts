/** Compiled, never run: what an app's functions may and may not say to the type checker. */

import { action, mutation, query, v } from "../src/index";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_proof: Equal<A, B>): void {}

export const place = mutation({
  args: {
    lot: v.id("Lot"),
    amount: v.number(),
    note: v.optional(v.string()),
    tags: v.array(v.union(v.literal("new"), v.literal("used"))),
    at: v.object({ x: v.int(), y: v.optional(v.int()) }),
  },
  handler: async (ctx, args) => {
    same<typeof args.lot, string>(true);
    same<typeof args.note, string | null | undefined>(true);
    same<typeof args.tags, ("new" | "used")[]>(true);
    same<typeof args.at, { x: number; y?: number }>(true);
    const lot = await ctx.db.get<{ price: number }>("Lot", args.lot);
    if (lot === null) throw ctx.error("NO_LOT", "There is no such lot.");
    const id: string = await ctx.db.insert("Bid", { amount: args.amount });
    return { id, price: lot.price };
  },
});

export const open = query({
  handler: async (ctx, args) => {
    same<typeof args, Record<string, unknown>>(true);
    // @ts-expect-error a query only reads
    ctx.db.insert;
    // @ts-expect-error a query has no error(): it throws an Error with a code
    ctx.error;
    return ctx.db.query("Lot", { open: true, $order: { price: "desc" }, $limit: 5 });
  },
});

export const send = action({
  args: { to: v.string() },
  handler: async (ctx, args) => {
    // @ts-expect-error an action has no database
    ctx.db;
    ctx.stream.write(args.to);
    return ctx.runMutation<{ id: string }>("place", args);
  },
});
