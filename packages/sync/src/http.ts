/** JSON over HTTP with a bearer token. Knows the error envelope, and no route. */

import type { Clock } from "./clock.ts";
import type { Fetch } from "./environment.ts";
import { isRow, textOrNull } from "./protocol.ts";

/** How long an answer to the engine's own requests may take; the largest are pages of rows on slow links. */
export const ANSWER_WITHIN_MS = 60_000;

/** The server answered with an error status. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly code: string | undefined;
  /** How long the server asked to be left alone; 0 when it did not say. */
  readonly retryAfterMs: number;

  constructor(status: number, message: string, code: string | undefined, retryAfterMs: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface RequestOptions {
  /** GET without a body, POST with one. */
  method?: string | undefined;
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal | undefined;
}

export class HttpClient {
  readonly #baseUrl: string;
  readonly #fetch: Fetch;
  readonly #token: () => string | null;

  constructor(baseUrl: string, fetch: Fetch, token: () => string | null) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetch;
    this.#token = token;
  }

  /**
   * The JSON of the answer, or undefined when there is none. Rejects with `HttpError` for an error status, and with
   * whatever fetch throws when nobody answered.
   */
  async request(path: string, { method, body, signal }: RequestOptions = {}): Promise<unknown> {
    const token = this.#token();
    const response = await this.#fetch(this.#baseUrl + path, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) throw await httpError(response);
    const text = await response.text();
    return text === "" ? undefined : JSON.parse(text);
  }
}

/** Abort what `action` does when it is not done in time: all that comes after it waits. */
export async function withDeadline<T>(clock: Clock, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const cancel = clock.after(ANSWER_WITHIN_MS, () => abort.abort());
  try {
    return await action(abort.signal);
  } finally {
    cancel();
  }
}

async function httpError(response: Response): Promise<HttpError> {
  const body: unknown = await response.json().catch(() => null);
  const inner = isRow(body) && isRow(body["error"]) ? body["error"] : {};
  const message = textOrNull(inner["message"]) ?? `HTTP ${response.status}`;
  const code = textOrNull(inner["code"]) ?? undefined;
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0;
  return new HttpError(response.status, message, code, retryAfterMs);
}
