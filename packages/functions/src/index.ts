/**
 * Server functions: what an app imports to write `functions/<name>.ts`.
 *
 *     export default mutation({
 *       args: { title: v.string() },
 *       handler: async (ctx, args) => ctx.db.insert("Todo", { title: args.title }),
 *     });
 */

import type { ActionContext, MutationContext, QueryContext } from "./types";
import type { ArgsOf, Validators } from "./validators";

export type {
  ActionContext,
  Aggregation,
  Auth,
  CodedError,
  DatabaseReader,
  DatabaseWriter,
  Env,
  MutationContext,
  Page,
  PageRequest,
  QueryContext,
  Row,
  RowFilter,
  ScheduleOptions,
  Scheduler,
  SearchResult,
  StartOptions,
  Stream,
  WebhookRequest,
  Workflows,
} from "./types";
export { v } from "./validators";
export type { ArgSchema, ArgsOf, Infer, OptionalValidator, Validator, Validators } from "./validators";

/** The arguments of a handler: typed when the function declares validators, else whatever was sent. */
export type HandlerArgs<V> = V extends Validators ? ArgsOf<V> : Record<string, unknown>;

/** What an app writes: the arguments a function takes and what it does with them. */
export interface Definition<Context, V, Result> {
  readonly args?: V;
  /** Only the app's own functions, jobs and schedules call it: from outside it is not there. */
  readonly internal?: boolean;
  readonly handler: (ctx: Context, args: HandlerArgs<V>) => Result | Promise<Result>;
}

/** What a function file exports by default. */
export interface FunctionOf<Kind extends string, Context, V, Result> {
  readonly type: Kind;
  readonly args: V | undefined;
  readonly internal: boolean | undefined;
  readonly handler: (ctx: Context, args: HandlerArgs<V>) => Result | Promise<Result>;
}

/** A function that only reads, all of it from one state of the database. */
export function query<Result, V extends Validators | undefined = undefined>(
  definition: Definition<QueryContext, V, Result>,
): FunctionOf<"query", QueryContext, V, Result> {
  return { type: "query", ...partsOf(definition) };
}

/** A function that is one transaction: it commits when the handler returns and leaves nothing when it throws. */
export function mutation<Result, V extends Validators | undefined = undefined>(
  definition: Definition<MutationContext, V, Result>,
): FunctionOf<"mutation", MutationContext, V, Result> {
  return { type: "mutation", ...partsOf(definition) };
}

/** A function that talks to the outside and reaches the database only through queries and mutations. */
export function action<Result, V extends Validators | undefined = undefined>(
  definition: Definition<ActionContext, V, Result>,
): FunctionOf<"action", ActionContext, V, Result> {
  return { type: "action", ...partsOf(definition) };
}

function partsOf<Context, V, Result>({ args, internal, handler }: Definition<Context, V, Result>) {
  return { args, internal, handler };
}
