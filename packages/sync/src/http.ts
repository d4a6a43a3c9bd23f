/** JSON over HTTP with a bearer token. Knows the error envelope, and no route. */

import type { Fetch } from "./environment.ts";
import { isRow } from "./protocol.ts";

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

export class HttpClient {
  readonly #baseUrl: string;
  readonly #fetch: Fetch;
  readonly #token: () => string | null;

  constructor(baseUrl: string, fetch: Fetch, token: () => string | null) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetch;
    this.#token = token;
  }

  get(path: string): Promise<unknown> {
    return this.#request(path, { method: "GET" }, {});
  }

  post(path: string, body: unknown): Promise<unknown> {
    const headers = { "Content-Type": "application/json" };
    return this.#request(path, { method: "POST", body: JSON.stringify(body) }, headers);
  }

  /** Rejects with `HttpError` for an error status, and with whatever fetch throws when nobody answered. */
  async #request(path: string, init: RequestInit, headers: Record<string, string>): Promise<unknown> {
    const token = this.#token();
    const authorization = token === null ? {} : { Authorization: `Bearer ${token}` };
    const response = await this.#fetch(this.#baseUrl + path, {
      ...init,
      headers: { ...headers, ...authorization },
    });
    if (!response.ok) throw await httpError(response);
    return response.json();
  }
}

async function httpError(response: Response): Promise<HttpError> {
  const body: unknown = await response.json().catch(() => null);
  const inner = isRow(body) && isRow(body["error"]) ? body["error"] : {};
  const message = typeof inner["message"] === "string" ? inner["message"] : `HTTP ${response.status}`;
  const code = typeof inner["code"] === "string" ? inner["code"] : undefined;
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0;
  return new HttpError(response.status, message, code, retryAfterMs);
}
