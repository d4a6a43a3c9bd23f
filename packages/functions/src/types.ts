/** What a handler is given, by kind of function. */

/** A row as stored: `id` and the declared fields. */
export type Row = { readonly id: string } & { readonly [field: string]: unknown };

/** The filter language: `{field: value}`, `{field: {$gt: 1}}`, `$order`, `$limit`, `$offset`. */
export type RowFilter = { readonly [fieldOrOption: string]: unknown };

export interface Page<T> {
  readonly page: T[];
  /** Pass it to the next `paginate`; null when this page is the last. */
  readonly nextCursor: string | null;
  readonly isDone: boolean;
}

export interface PageRequest {
  readonly cursor?: string | null | undefined;
  /** From 1 to 1000. */
  readonly numItems: number;
}

export interface SearchResult<T> {
  readonly hits: T[];
  readonly facetCounts: { readonly [facet: string]: { readonly [value: string]: number } };
  readonly total: number;
  readonly tookMs: number;
}

/** What to work out of the rows that `where` selects: columns such as `count`, `sum_price`, `createdAt_day`. */
export interface Aggregation {
  /** `"*"`, or a field of which to count the values. */
  readonly count?: string;
  readonly sum?: readonly string[];
  readonly avg?: readonly string[];
  readonly min?: readonly string[];
  readonly max?: readonly string[];
  readonly countDistinct?: readonly string[];
  readonly groupBy?: readonly (
    | string
    | { readonly field: string; readonly bucket?: "hour" | "day" | "week" | "month" | "year" }
  )[];
  readonly where?: RowFilter;
}

/** Reads one consistent state of the database. */
export interface DatabaseReader {
  get<T = Row>(entity: string, id: string): Promise<T | null>;
  /** Every row, by id. */
  list<T = Row>(entity: string): Promise<T[]>;
  /** The first row whose field equals the value. */
  lookup<T = Row>(entity: string, field: string, value: unknown): Promise<T | null>;
  query<T = Row>(entity: string, filter?: RowFilter): Promise<T[]>;
  queryGraph<T = { readonly [entity: string]: Row[] }>(graph: { readonly [entity: string]: unknown }): Promise<T>;
  /** One row a group; without `groupBy` exactly one. */
  aggregate<T = Row>(entity: string, aggregation: Aggregation): Promise<T[]>;
  paginate<T = Row>(entity: string, request: PageRequest): Promise<Page<T>>;
  search<T = Row>(entity: string, search: { readonly [option: string]: unknown }): Promise<SearchResult<T>>;
}

/** Reads and writes inside the mutation's transaction, and sees its own writes. */
export interface DatabaseWriter extends DatabaseReader {
  /** The new row's id. */
  insert(entity: string, data: { readonly [field: string]: unknown }): Promise<string>;
  /** Whether there was such a row and something to change. */
  update(entity: string, id: string, data: { readonly [field: string]: unknown }): Promise<boolean>;
  /** Whether there was such a row. */
  delete(entity: string, id: string): Promise<boolean>;
  /** Whether both rows are there. */
  link(entity: string, id: string, relation: string, targetId: string): Promise<boolean>;
  /** Whether there was such a row and, with a `targetId`, such a link. A relation to many needs one. */
  unlink(entity: string, id: string, relation: string, targetId?: string): Promise<boolean>;
}

/** Who is calling, as the server resolved it. */
export interface Auth {
  readonly userId: string | null;
  readonly isAdmin: boolean;
  readonly tenantId: string | null;
  readonly roles: readonly string[];
}

/** Text sent to the caller while the function runs. Not part of the transaction. */
export interface Stream {
  write(text: string): void;
  writeEvent(event: string, text: string): void;
}

export interface ScheduleOptions {
  /** Run it as who schedules it, though never as the administrator. Otherwise it runs as nobody. */
  readonly as?: "caller";
}

/** Functions run later, at least once. From a mutation they are scheduled if and only if it commits. */
export interface Scheduler {
  /** Run a function later; answers the id of the job. */
  runAfter(delayMs: number, fn: string, args?: unknown, options?: ScheduleOptions): Promise<string>;
  /** Run a function at a time given in milliseconds since the Unix epoch. */
  runAt(unixMs: number, fn: string, args?: unknown, options?: ScheduleOptions): Promise<string>;
  /** Whether there was such a job that had not begun. */
  cancel(id: string): Promise<boolean>;
}

export interface StartOptions {
  /** An id of one's own, `wf_` and 16 hex digits: whatever is asked for again under it is begun once. */
  readonly id?: string;
}

/** Durable workflows. From a mutation all of this happens if and only if it commits. */
export interface Workflows {
  /** Begin a workflow; answers its id. */
  start(name: string, input?: unknown, options?: StartOptions): Promise<string>;
  /** Send an event, which is kept until the workflow waits for it. */
  send(workflowId: string, event: string, data?: unknown): Promise<void>;
  cancel(workflowId: string): Promise<void>;
}

/** The HTTP request of a webhook; the body is what was signed, byte for byte. */
export interface WebhookRequest {
  readonly method: string;
  readonly path: string;
  /** By lower-case name. */
  readonly headers: { readonly [name: string]: string };
  /** The body as it was signed; empty when it is not UTF-8. */
  readonly rawBody: string;
  /** The body as it was signed, whatever it is. */
  readonly rawBytes: Uint8Array;
}

export type Env = { readonly [name: string]: string | undefined };

/** An error whose code and message reach the caller. */
export interface CodedError extends Error {
  readonly code: string;
}

export interface QueryContext {
  readonly db: DatabaseReader;
  /** The same database as the caller's own policies let them see it. */
  asUser(): { readonly db: DatabaseReader };
  readonly auth: Auth;
  readonly env: Env;
  /** Aborted when nobody waits for this call any more. */
  readonly signal: AbortSignal;
}

export interface MutationContext {
  readonly db: DatabaseWriter;
  /** The same transaction under the caller's own policies; what these refuse rejects with `POLICY_DENIED`. */
  asUser(): { readonly db: DatabaseWriter };
  readonly auth: Auth;
  readonly stream: Stream;
  readonly scheduler: Scheduler;
  readonly workflows: Workflows;
  readonly env: Env;
  /** Aborted when nobody waits for this call any more. */
  readonly signal: AbortSignal;
  /** Make (not throw) an error for the caller: `throw ctx.error("SOLD_OUT", "None are left.")`. */
  error(code: string, message: string): CodedError;
}

export interface ActionContext {
  readonly auth: Auth;
  readonly stream: Stream;
  readonly scheduler: Scheduler;
  readonly workflows: Workflows;
  readonly env: Env;
  /** Aborted when nobody waits for this call any more; `fetch` takes it. */
  readonly signal: AbortSignal;
  runQuery<T = unknown>(fn: string, args?: unknown): Promise<T>;
  /** Runs in its own transaction, which commits before this answers. */
  runMutation<T = unknown>(fn: string, args?: unknown): Promise<T>;
  error(code: string, message: string): CodedError;
  /** Only when a webhook calls. */
  readonly request?: WebhookRequest;
}
