/** The app's server functions over HTTP. */

import { readEvents } from "./eventStream.ts";
import { member, request, requestJson, segment } from "./request.ts";

export interface CallOptions {
  /** Instead of the stored token. */
  token?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** What the function returned. Rejects with the server's message when it failed. */
export function callFn<T>(name: string, args: unknown = {}, options: CallOptions = {}): Promise<T> {
  return requestJson(path(name), { method: "POST", json: args, ...options });
}

/** The functions there are; the server tells the administrator only. */
export function listFns(): Promise<{ name: string; fn_type: string }[]> {
  return requestJson("/api/fn");
}

/**
 * Yields the texts that the function streams, whatever it names their events, and returns what it returned. Throws
 * with its message when it failed. Whoever stops reading early ends the request.
 */
export async function* streamFn(
  name: string,
  args: unknown = {},
  options: CallOptions = {},
): AsyncGenerator<string, unknown> {
  const headers = { Accept: "text/event-stream" };
  const response = await request(path(name), { method: "POST", json: args, headers, ...options });
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;
  // A function that streamed nothing may be answered like an ordinary call.
  if (!isStream || response.body === null) return jsonOrText(await response.text());
  for await (const event of readEvents(response.body)) {
    if (event.name === "result") return jsonOrText(event.data);
    if (event.name === "error") throw new Error(failure(event.data));
    yield event.data;
  }
  return undefined;
}

function path(name: string): string {
  return `/api/fn/${segment(name)}`;
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function failure(data: string): string {
  const body = jsonOrText(data);
  const message = member(body, "message") ?? member(member(body, "error"), "message");
  return typeof message === "string" ? message : data;
}
