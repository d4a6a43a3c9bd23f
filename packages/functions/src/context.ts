/** The `ctx` of each kind of function: what its handler may reach, and nothing else. */

import type { CallFrame, DatabaseOp, DatabaseOperands, WireAuth, WireRequest } from "./protocol";
import { errorFor, publicFailure } from "./failures";
import { lossIn } from "./losses";
import { OpenRequests } from "./open-requests";
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
  Workflows,
} from "./types";
import type { FrameWriter } from "./writer";

const PAGE_MIN = 1;
const PAGE_MAX = 1000;

/** What `ctx` calls an operation of the database, where that is not the name it is sent by. */
const METHODS: { readonly [op in DatabaseOp]?: string } = { query_graph: "queryGraph" };

/** One call under way. After its end it can ask nothing more: the transaction it would speak to is over. */
export class Call {
  readonly open = new OpenRequests();
  readonly #frame: CallFrame;
  readonly #requests: HostRequests;
  readonly #writer: FrameWriter;
  #ended = false;
  #refusal: Error | null = null;
  #cancellation: AbortController | null = null;

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
    this.#cancellation?.abort(this.#refusal);
  }

  /** Tells that the call was abandoned; made when somebody asks, as few do. */
  get signal(): AbortSignal {
    this.#cancellation ??= new AbortController();
    if (this.#refusal !== null) this.#cancellation.abort(this.#refusal);
    return this.#cancellation.signal;
  }

  ask(request: Request): Promise<unknown> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
    if (this.#ended) {
      const message = `"${this.#frame.fn_name}" has already returned; await what it starts`;
      return Promise.reject(codedError("NOT_AVAILABLE", message));
    }
    try {
      checkSent(request);
    } catch (error) {
      return this.open.refused(request, error);
    }
    return this.#requests.ask(this, request);
  }

  /** Wait for what the handler did not. Throws what it would have heard, had it awaited it. */
  async settle(): Promise<void> {
    const refusal = await this.open.settled();
    if (refusal === null) return;
    const { code, message } = publicFailure(refusal.error) ?? { code: "HANDLER_ERROR", message: "the log says why." };
    throw codedError(code, `${nameOf(refusal.request)} failed and nobody awaits it; await it: ${message}`);
  }

  database(op: DatabaseOp, entity: string, operands: DatabaseOperands = {}): Promise<unknown> {
    return this.ask({ type: "db", op, entity, ...operands });
  }

  stream(data: string, event?: string): void {
    if (this.#ended || this.#refusal !== null) return;
    this.#writer.send({ type: "stream", call_id: this.id, data, ...(event === undefined ? {} : { event }) });
  }
}

function nameOf(request: Request): string {
  switch (request.type) {
    case "db":
      return `${request.as === "user" ? "ctx.asUser()" : "ctx"}.db.${METHODS[request.op] ?? request.op}("${request.entity}")`;
    case "schedule":
      return `Scheduling "${request.fn_name}"`;
    case "cancel_schedule":
      return "ctx.scheduler.cancel";
    case "run_fn":
      return `Running "${request.fn_name}"`;
    default:
      return request satisfies never;
  }
}

/** Throws for what would arrive as something else. */
function checkSent(request: Request): void {
  const loss = lossIn("args" in request ? request.args : "data" in request ? request.data : null);
  if (loss !== null) throw codedError("INVALID_DATA", `${nameOf(request)} was given ${loss}, which JSON cannot say.`);
}

export function queryContext(call: Call, frame: CallFrame, env: Env): QueryContext {
  return {
    db: databaseReader(trusted(call)),
    asUser: () => ({ db: databaseReader(asUser(call)) }),
    auth: authOf(frame.auth),
    env,
    get signal() {
      return call.signal;
    },
  };
}

export function mutationContext(call: Call, frame: CallFrame, env: Env): MutationContext {
  return {
    db: databaseWriter(trusted(call)),
    asUser: () => ({ db: databaseWriter(asUser(call)) }),
    auth: authOf(frame.auth),
    stream: streamOf(call),
    scheduler: schedulerOf(call),
    workflows: workflowsOf(call),
    env,
    get signal() {
      return call.signal;
    },
    error: errorFor,
  };
}

/** A workflow's is the same. */
export function actionContext(call: Call, frame: CallFrame, env: Env): ActionContext {
  return {
    auth: authOf(frame.auth),
    stream: streamOf(call),
    scheduler: schedulerOf(call),
    workflows: workflowsOf(call),
    env,
    get signal() {
      return call.signal;
    },
    runQuery: <T>(fn: string, args?: unknown) =>
      call.ask({ type: "run_fn", fn_name: fn, fn_type: "query", args }) as Promise<T>,
    runMutation: <T>(fn: string, args?: unknown) =>
      call.ask({ type: "run_fn", fn_name: fn, fn_type: "mutation", args }) as Promise<T>,
    error: errorFor,
    ...(frame.request === undefined ? {} : { request: requestOf(frame.request) }),
  };
}

type Ask = (op: DatabaseOp, entity: string, operands?: DatabaseOperands) => Promise<unknown>;

function trusted(call: Call): Ask {
  return (op, entity, operands) => call.database(op, entity, operands);
}

function asUser(call: Call): Ask {
  return (op, entity, operands) => call.database(op, entity, { ...operands, as: "user" });
}

function databaseReader(ask: Ask): DatabaseReader {
  return {
    get: <T>(entity: string, id: string) => ask("get", entity, { id }) as Promise<T | null>,
    list: <T>(entity: string) => ask("list", entity) as Promise<T[]>,
    lookup: <T>(entity: string, field: string, value: unknown) =>
      ask("lookup", entity, { field, value }) as Promise<T | null>,
    query: <T>(entity: string, filter?: unknown) => ask("query", entity, { data: filter }) as Promise<T[]>,
    queryGraph: <T>(graph: unknown) => ask("query_graph", "", { data: graph }) as Promise<T>,
    aggregate: <T>(entity: string, aggregation: unknown) =>
      ask("aggregate", entity, { data: aggregation }) as Promise<T[]>,
    paginate: <T>(entity: string, request: PageRequest) =>
      ask("paginate", entity, pageOperands(request)) as Promise<Page<T>>,
    search: <T>(entity: string, search: unknown) =>
      ask("search", entity, { data: search }) as Promise<SearchResult<T>>,
  };
}

function databaseWriter(ask: Ask): DatabaseWriter {
  return {
    ...databaseReader(ask),
    insert: async (entity, data) => member(await ask("insert", entity, { data }), "id") as string,
    update: async (entity, id, data) =>
      member(await ask("update", entity, { id, data }), "updated") === true,
    delete: async (entity, id) => member(await ask("delete", entity, { id }), "deleted") === true,
    link: async (entity, id, relation, targetId) =>
      member(await ask("link", entity, { id, relation, target_id: targetId }), "linked") === true,
    unlink: async (entity, id, relation, targetId) =>
      member(await ask("unlink", entity, { id, relation, target_id: targetId }), "unlinked") === true,
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
    runAfter: async (delayMs, fn, args, options) =>
      scheduled({ type: "schedule", fn_name: fn, args, delay_ms: finite(delayMs), ...options }),
    runAt: async (unixMs, fn, args, options) =>
      scheduled({ type: "schedule", fn_name: fn, args, run_at: finite(unixMs), ...options }),
    cancel: async (id) => member(await call.ask({ type: "cancel_schedule", schedule_id: id }), "cancelled") === true,
  };
}

const WORKFLOW_ID_BYTES = 8;

function workflowsOf(call: Call): Workflows {
  const ask = async (what: string, args: unknown): Promise<void> => {
    await call.ask({ type: "schedule", fn_name: `pylon.workflow.${what}`, args, delay_ms: 0 });
  };
  return {
    start: async (name, input = {}, { id = freshWorkflowId() } = {}) => {
      await ask("start", { id, name, input });
      return id;
    },
    send: (id, event, data = {}) => ask("event", { id, event, data }),
    cancel: (id) => ask("cancel", { id }),
  };
}

function freshWorkflowId(): string {
  return `wf_${Buffer.from(crypto.getRandomValues(new Uint8Array(WORKFLOW_ID_BYTES))).toString("hex")}`;
}

/** JSON has no NaN and no infinity: the server would take them for "now". */
function finite(milliseconds: number): number {
  if (Number.isFinite(milliseconds)) return milliseconds;
  throw codedError("INVALID_ARGS", `A time in milliseconds is needed, not ${milliseconds}`);
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
  const encoded = wire.raw_body_base64;
  const rawBytes =
    encoded === undefined
      ? new TextEncoder().encode(wire.raw_body)
      : Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  return { method: wire.method, path: wire.path, headers, rawBody: wire.raw_body, rawBytes };
}

function member(data: unknown, name: string): unknown {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>)[name] : undefined;
}
