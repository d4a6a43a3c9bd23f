/** The `ctx` of each kind of function: what its handler may reach, and nothing else. */

import type { CallFrame, DatabaseOp, DatabaseOperands, WireAuth, WireRequest } from "./protocol";
import { codedError, type HostRequests, type Request } from "./rpc";
import type {
  ActionContext,
  Auth,
  DatabaseReader,
  DatabaseWriter,
  Env,
  MutationContext,
  Page,
  PageRequest,
  QueryContext,
  Scheduler,
  SearchResult,
  Stream,
  WebhookRequest,
} from "./types";
import type { FrameWriter } from "./writer";

const PAGE_MIN = 1;
const PAGE_MAX = 1000;

/** One call under way. After its end it can ask nothing more: the transaction it would speak to is over. */
export class Call {
  readonly #frame: CallFrame;
  readonly #requests: HostRequests;
  readonly #writer: FrameWriter;
  #ended = false;
  #refusal: Error | null = null;

  constructor(frame: CallFrame, requests: HostRequests, writer: FrameWriter) {
    this.#frame = frame;
    this.#requests = requests;
    this.#writer = writer;
  }

  get id(): string {
    return this.#frame.call_id;
  }

  end(): void {
    this.#ended = true;
  }

  /** Nobody waits for it any more. */
  abandon(): void {
    this.#refusal = codedError("NOT_AVAILABLE", "The server gave this call up; it may have begun it anew.");
    this.#requests.rejectCall(this.id, this.#refusal);
  }

  ask(request: Request): Promise<unknown> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
    if (this.#ended) {
      return Promise.reject(new Error(`"${this.#frame.fn_name}" has already returned; await what it starts`));
    }
    return this.#requests.ask(this.id, request);
  }

  database(op: DatabaseOp, entity: string, operands: DatabaseOperands = {}): Promise<unknown> {
    return this.ask({ type: "db", op, entity, ...operands });
  }

  stream(data: string, event?: string): void {
    if (this.#ended) return;
    this.#writer.send({ type: "stream", call_id: this.id, data, ...(event === undefined ? {} : { event }) });
  }
}

export function queryContext(call: Call, frame: CallFrame, env: Env): QueryContext {
  return { db: databaseReader(call), auth: authOf(frame.auth), env };
}

export function mutationContext(call: Call, frame: CallFrame, env: Env): MutationContext {
  return {
    db: databaseWriter(call),
    auth: authOf(frame.auth),
    stream: streamOf(call),
    scheduler: schedulerOf(call),
    env,
    error: codedError,
  };
}

export function actionContext(call: Call, frame: CallFrame, env: Env): ActionContext {
  return {
    auth: authOf(frame.auth),
    stream: streamOf(call),
    scheduler: schedulerOf(call),
    env,
    runQuery: <T>(fn: string, args?: unknown) =>
      call.ask({ type: "run_fn", fn_name: fn, fn_type: "query", args }) as Promise<T>,
    runMutation: <T>(fn: string, args?: unknown) =>
      call.ask({ type: "run_fn", fn_name: fn, fn_type: "mutation", args }) as Promise<T>,
    error: codedError,
    ...(frame.request === undefined ? {} : { request: requestOf(frame.request) }),
  };
}

function databaseReader(call: Call): DatabaseReader {
  return {
    get: <T>(entity: string, id: string) => call.database("get", entity, { id }) as Promise<T | null>,
    list: <T>(entity: string) => call.database("list", entity) as Promise<T[]>,
    lookup: <T>(entity: string, field: string, value: unknown) =>
      call.database("lookup", entity, { field, value }) as Promise<T | null>,
    query: <T>(entity: string, filter?: unknown) => call.database("query", entity, { data: filter }) as Promise<T[]>,
    queryGraph: <T>(graph: unknown) => call.database("query_graph", "", { data: graph }) as Promise<T>,
    aggregate: <T>(entity: string, aggregation: unknown) =>
      call.database("aggregate", entity, { data: aggregation }) as Promise<T[]>,
    paginate: <T>(entity: string, request: PageRequest) =>
      call.database("paginate", entity, pageOperands(request)) as Promise<Page<T>>,
    search: <T>(entity: string, search: unknown) =>
      call.database("search", entity, { data: search }) as Promise<SearchResult<T>>,
  };
}

function databaseWriter(call: Call): DatabaseWriter {
  return {
    ...databaseReader(call),
    insert: async (entity, data) => member(await call.database("insert", entity, { data }), "id") as string,
    update: async (entity, id, data) =>
      member(await call.database("update", entity, { id, data }), "updated") === true,
    delete: async (entity, id) => member(await call.database("delete", entity, { id }), "deleted") === true,
    link: async (entity, id, relation, targetId) =>
      member(await call.database("link", entity, { id, relation, target_id: targetId }), "linked") === true,
    unlink: async (entity, id, relation, targetId) =>
      member(await call.database("unlink", entity, { id, relation, target_id: targetId }), "unlinked") === true,
  };
}

function pageOperands(request: PageRequest): DatabaseOperands {
  const asked: unknown = request?.numItems;
  const limit = typeof asked === "number" && asked > PAGE_MIN ? Math.min(Math.floor(asked), PAGE_MAX) : PAGE_MIN;
  const cursor = request?.cursor;
  return cursor === null || cursor === undefined ? { limit } : { after: cursor, limit };
}

function streamOf(call: Call): Stream {
  return {
    write: (text) => call.stream(String(text)),
    writeEvent: (event, text) => call.stream(String(text), String(event)),
  };
}

function schedulerOf(call: Call): Scheduler {
  const scheduled = async (request: Request): Promise<string> => {
    const id = member(await call.ask(request), "id");
    return typeof id === "string" ? id : "";
  };
  return {
    runAfter: (delayMs, fn, args) => scheduled({ type: "schedule", fn_name: fn, args, delay_ms: delayMs }),
    runAt: (unixMs, fn, args) => scheduled({ type: "schedule", fn_name: fn, args, run_at: unixMs }),
    cancel: async (id) => {
      await call.ask({ type: "cancel_schedule", schedule_id: id });
    },
  };
}

function authOf(wire: WireAuth = {}): Auth {
  return {
    userId: wire.user_id ?? wire.userId ?? null,
    isAdmin: wire.is_admin ?? wire.isAdmin ?? false,
    tenantId: wire.tenant_id ?? wire.tenantId ?? null,
    roles: wire.roles ?? [],
  };
}

function requestOf(wire: WireRequest): WebhookRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(wire.headers)) headers[name.toLowerCase()] = value;
  return { method: wire.method, path: wire.path, headers, rawBody: wire.raw_body };
}

function member(data: unknown, name: string): unknown {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>)[name] : undefined;
}
