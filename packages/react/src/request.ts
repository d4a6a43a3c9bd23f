/** One HTTP request to the app's server: the base URL, the bearer token, the error envelope. Knows no route. */

import { HttpError } from "@pylonsync/sync";
import { requireBaseUrl, storedToken } from "./config.ts";

export interface RequestOptions {
  method?: string | undefined;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is; not together with `json`. */
  body?: BodyInit | undefined;
  headers?: Record<string, string> | undefined;
  /** Null sends none. Without it the stored token is sent. */
  token?: string | null | undefined;
  /** Without it, that of `configureClient`. */
  baseUrl?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Let the request outlive the page. */
  keepalive?: boolean | undefined;
}

/**
 * The answer, whatever it is, if its status is good. Rejects with `HttpError` (`message` as the server said, `status`,
 * `code`) if it is not, and with whatever `fetch` throws when nobody answered.
 */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  const { method = "GET", json, signal, keepalive = false } = options;
  const token = options.token === undefined ? storedToken() : options.token;
  const body = json === undefined ? options.body : JSON.stringify(json);
  const response = await fetch((options.baseUrl ?? requireBaseUrl()) + path, {
    method,
    keepalive,
    headers: {
      ...(json === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

/** The JSON of the answer. The type is the caller's word: the server decides what comes. */
export async function requestJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await request(path, options);
  return (await response.json()) as T;
}

/** Whether `error` only says that the request was given up. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Anything thrown, as an error whose message can be shown. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** One segment of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

async function refusal(response: Response): Promise<HttpError> {
  const body: unknown = await response.json().catch(() => null);
  const inner = member(body, "error");
  const message = member(inner, "message");
  const code = member(inner, "code");
  const seconds = Number(response.headers.get("Retry-After"));
  return new HttpError(
    response.status,
    typeof message === "string" ? message : `HTTP ${response.status}`,
    typeof code === "string" ? code : undefined,
    Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0,
  );
}

/** `value[name]` of something that may be anything. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}
