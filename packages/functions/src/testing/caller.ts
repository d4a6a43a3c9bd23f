/** Somebody who uses the server of a test, over HTTP as everybody does. */

import type { Row, RowFilter } from "../types";
import { readStream } from "./streams";

/**
 * What a server has, by name, for a client that knows the types:
 *
 *     type Mine = { addTodo: typeof import("../functions/addTodo").default };
 *     const server = await testServer<Mine>();
 */
export interface Functions {
  readonly [name: string]: { readonly handler: (ctx: never, args: never) => unknown };
}

type Known<F extends Functions> = string extends keyof F ? never : keyof F & string;
type Unknown<F extends Functions> = string extends keyof F ? string : never;
type ArgsOf<T> = T extends { handler: (ctx: never, args: infer A) => unknown } ? A : never;
type ResultOf<T> = T extends { handler: (ctx: never, args: never) => infer R } ? Awaited<R> : never;
type Arguments<T> = Record<never, never> extends ArgsOf<T> ? [args?: ArgsOf<T>] : [args: ArgsOf<T>];

/** Text that a function streamed; `event` is the name it gave it, if any. */
export interface Chunk {
  readonly text: string;
  readonly event?: string;
}

export interface Streamed<T> {
  readonly chunks: readonly Chunk[];
  /** What the function returned. */
  readonly value: T;
}

/** What the server refused with. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: string;
  readonly status: number | null;

  constructor(code: string, message: string, status: number | null) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** One identity on one server; `token` is null for nobody. */
export class Caller<F extends Functions = Functions> {
  readonly #url: string;
  readonly #token: () => Promise<string | null>;

  constructor(url: string, token: () => Promise<string | null>) {
    this.#url = url;
    this.#token = token;
  }

  /** Rejects with a `CallError`. */
  call<N extends Known<F>>(name: N, ...args: Arguments<F[N]>): Promise<ResultOf<F[N]>>;
  call<T = unknown>(name: Unknown<F>, args?: object): Promise<T>;
  call(name: string, ...[args = {}]: readonly unknown[]): Promise<never> {
    return this.request("POST", `/api/fn/${encodeURIComponent(name)}`, args);
  }

  /** Call a function, and keep what it streams until it returns. */
  stream<N extends Known<F>>(name: N, ...args: Arguments<F[N]>): Promise<Streamed<ResultOf<F[N]>>>;
  stream<T = unknown>(name: Unknown<F>, args?: object): Promise<Streamed<T>>;
  async stream(name: string, ...[args = {}]: readonly unknown[]): Promise<Streamed<never>> {
    const path = `/api/fn/${encodeURIComponent(name)}`;
    const response = await this.#fetch("POST", path, args, { Accept: "text/event-stream" });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    return isStream ? readStream<never>(await response.text()) : { chunks: [], value: (await valueOf(response)) as never };
  }

  /** The rows that a filter selects and the policies show. */
  rows<T = Row>(entity: string, filter: RowFilter = {}): Promise<T[]> {
    return this.request("POST", `/api/query/${encodeURIComponent(entity)}`, filter);
  }

  async row<T = Row>(entity: string, id: string): Promise<T | null> {
    return (await this.rows<T>(entity, { id }))[0] ?? null;
  }

  /** The new row. */
  insert<T = Row>(entity: string, data: object): Promise<T> {
    return this.request("POST", `/api/entities/${encodeURIComponent(entity)}`, data);
  }

  update<T = Row>(entity: string, id: string, data: object): Promise<T> {
    return this.request("PATCH", `/api/entities/${encodeURIComponent(entity)}/${encodeURIComponent(id)}`, data);
  }

  async delete(entity: string, id: string): Promise<void> {
    await this.request("DELETE", `/api/entities/${encodeURIComponent(entity)}/${encodeURIComponent(id)}`);
  }

  /** Any request: the JSON it is answered with. */
  async request<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    return (await valueOf(await this.#fetch(method, path, body, {}))) as T;
  }

  async #fetch(method: string, path: string, body: unknown, extra: Record<string, string>): Promise<Response> {
    const headers = new Headers(extra);
    const token = await this.#token();
    if (token !== null) headers.set("Authorization", `Bearer ${token}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    return fetch(this.#url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }
}

async function valueOf(response: Response): Promise<unknown> {
  const text = await response.text();
  const value: unknown = text === "" ? null : JSON.parse(text);
  if (response.ok) return value;
  const { code, message } = (value ?? {}) as { readonly code?: string; readonly message?: string };
  throw new CallError(code ?? "UNKNOWN", message ?? `The server answered ${response.status}.`, response.status);
}
