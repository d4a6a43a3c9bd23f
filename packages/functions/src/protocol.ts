/**
 * The frames between the server and its child: one JSON object a line, both ways. Unknown lines from the
 * server are ignored on purpose, so that an older child survives a newer server.
 */

import type { ArgSchemas } from "./validators";

export type FunctionKind = "query" | "mutation" | "action" | "workflow";

export interface CallFrame {
  readonly type: "call";
  readonly call_id: string;
  readonly fn_name: string;
  readonly fn_type?: string;
  readonly args?: unknown;
  readonly auth?: WireAuth;
  readonly request?: WireRequest;
}

/** Absent means null; the server may write either spelling. */
export interface WireAuth {
  readonly user_id?: string | null;
  readonly userId?: string | null;
  readonly is_admin?: boolean;
  readonly isAdmin?: boolean;
  readonly tenant_id?: string | null;
  readonly tenantId?: string | null;
  readonly roles?: readonly string[];
}

export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly raw_body: string;
  /** The body, when it is not UTF-8; `raw_body` is empty then. */
  readonly raw_body_base64?: string;
}

export interface ResultFrame {
  readonly type: "result";
  readonly call_id: string;
  readonly op_id?: string;
  readonly data?: unknown;
  readonly error?: { readonly code?: string; readonly message?: string };
}

/** Nobody waits for this call any more; its handler's work counts for nothing. */
export interface AbandonFrame {
  readonly type: "abandon";
  readonly call_id: string;
}

export type HostFrame = CallFrame | ResultFrame | AbandonFrame;

export interface FunctionEntry {
  readonly name: string;
  readonly fn_type: FunctionKind;
  readonly args_schema: ArgSchemas | null;
  /** Of a workflow only. */
  readonly options?: WorkflowEntryOptions;
  /** Written only when it is: the server calls it, nobody from outside. */
  readonly internal?: true;
}

/** What the author of a workflow said of it, and the file it is written in. */
export interface WorkflowEntryOptions {
  readonly description?: string;
  readonly max_retries?: number;
  readonly step_timeout_secs?: number;
  readonly file: string;
}

/** What keeps a file, or something in it, from being used; for its author. */
export interface FileProblem {
  /** Relative to the functions folder. */
  readonly file: string;
  readonly line: number | null;
  readonly message: string;
}

export type DatabaseOp =
  | "get"
  | "list"
  | "lookup"
  | "query"
  | "query_graph"
  | "aggregate"
  | "paginate"
  | "search"
  | "insert"
  | "update"
  | "delete"
  | "link"
  | "unlink";

/** What a database operation says beside its name and entity. */
export interface DatabaseOperands {
  readonly id?: unknown;
  readonly field?: unknown;
  readonly value?: unknown;
  readonly data?: unknown;
  readonly after?: unknown;
  readonly limit?: number;
  readonly relation?: unknown;
  readonly target_id?: unknown;
  /** Under the caller's own policies. */
  readonly as?: "user";
}

/** A frame the server answers with a `result` of the same `call_id` and `op_id`. */
export type RequestFrame = { readonly call_id: string; readonly op_id: string } & (
  | ({ readonly type: "db"; readonly op: DatabaseOp; readonly entity: string } & DatabaseOperands)
  | {
      readonly type: "schedule";
      readonly fn_name: string;
      readonly args: unknown;
      readonly delay_ms?: number;
      readonly run_at?: number;
      /** Run it as who schedules it; otherwise it runs as nobody. */
      readonly as?: "caller";
    }
  | { readonly type: "cancel_schedule"; readonly schedule_id: string }
  | { readonly type: "run_fn"; readonly fn_name: string; readonly fn_type: "query" | "mutation"; readonly args: unknown }
);

export type ChildFrame =
  | {
      readonly type: "ready";
      readonly functions: readonly FunctionEntry[];
      /** Of files that were left out; the rest runs. */
      readonly problems?: readonly FileProblem[];
      /** Nothing runs. */
      readonly error?: string;
    }
  | RequestFrame
  | { readonly type: "stream"; readonly call_id: string; readonly data: string; readonly event?: string }
  | { readonly type: "return"; readonly call_id: string; readonly value: unknown }
  | { readonly type: "error"; readonly call_id: string; readonly code: string; readonly message: string };

/** A line of the server's as a frame, or null when it is nothing this child knows. */
export function parseHostFrame(line: string): HostFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const frame = value as { readonly type?: unknown; readonly call_id?: unknown; readonly fn_name?: unknown };
  if (typeof frame.call_id !== "string") return null;
  if (frame.type === "result") return value as ResultFrame;
  if (frame.type === "abandon") return value as AbandonFrame;
  return frame.type === "call" && typeof frame.fn_name === "string" ? (value as CallFrame) : null;
}

/** Cuts a stream of bytes into lines; a character split between two chunks comes out whole. */
export class LineSplitter {
  readonly #decoder = new TextDecoder();
  #rest = "";

  push(chunk: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() as string;
    return lines;
  }
}
