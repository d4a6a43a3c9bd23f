/**
 * Server-sent events as a channel (contract 05 §8).
 *
 * An EventSource cannot send a token, so with one the stream is read through fetch, where its bodies can be read as
 * they come. Without a token an EventSource does, which sends the page's cookies.
 */

import type { Clock } from "./clock.ts";
import type { Environment, EventStreamConstructor } from "./environment.ts";
import { watched } from "./liveness.ts";
import type { ChannelEvents, Dial } from "./transport.ts";

/** Servers send a comment every 30 seconds; a stream that is silent for longer than this is dead. */
export const SILENT_FOR_MS = 75_000;

/** Null where the host can read no event stream. `misses` is for `watched`: an EventSource shows no comments. */
export function dialEvents(
  environment: Environment,
  url: string,
  token: () => string | null,
  misses: () => Promise<boolean>,
): Dial | null {
  const { EventSource: Stream, streamingFetch = false, clock } = environment;
  const anonymous = Stream === undefined ? null : watched(dialEventSource(Stream, url), clock, misses);
  if (!streamingFetch) return anonymous;
  const byFetch = dialFetch(environment, url, token, misses);
  if (anonymous === null) return byFetch;
  return (events) => (token() === null ? anonymous(events) : byFetch(events));
}

function dialEventSource(Stream: EventStreamConstructor, url: string): Dial {
  return (events) => {
    const stream = new Stream(url);
    stream.onopen = () => events.opened();
    stream.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string") events.text(data);
    };
    // An EventSource would try again by itself at a fixed pace; the connection does it with backoff.
    stream.onerror = () => events.lost();
    return { send: () => undefined, close: () => stream.close(), check: () => undefined };
  };
}

function dialFetch(
  { fetch, clock }: Environment,
  url: string,
  token: () => string | null,
  misses: () => Promise<boolean>,
): Dial {
  return (events) => {
    const abort = new AbortController();
    const bearer = token();
    const headers = { Accept: "text/event-stream", ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }) };
    void fetch(url, { headers, signal: abort.signal })
      .then((response) => readStream(response, events, clock, abort))
      // However it ended, the connection above decides when to try again.
      .catch(() => undefined)
      .then(() => events.lost());
    const check = (): void => void misses().then((dead) => dead && abort.abort());
    return { send: () => undefined, close: () => abort.abort(), check };
  };
}

async function readStream(
  response: Response,
  events: ChannelEvents,
  clock: Clock,
  abort: AbortController,
): Promise<void> {
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;
  if (!response.ok || !isStream || response.body === null) return abort.abort();
  events.opened();
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const cancelWatch = clock.after(SILENT_FOR_MS, () => abort.abort());
    const { done, value } = await reader.read().finally(cancelWatch);
    if (done) return;
    for (const data of parser.feed(decoder.decode(value, { stream: true }))) events.text(data);
  }
}

/** Text of an event stream, in pieces cut anywhere, to the data of its unnamed events. */
export class EventParser {
  #rest = "";
  #data: string[] = [];
  #named = false;

  feed(text: string): string[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  /** The event that the line completes. */
  #line(line: string): string | null {
    if (line === "") return this.#dispatch();
    const [field, value] = fieldOf(line);
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#named = value !== "" && value !== "message";
    return null;
  }

  #dispatch(): string | null {
    const event = this.#data.length === 0 || this.#named ? null : this.#data.join("\n");
    this.#data = [];
    this.#named = false;
    return event;
  }
}

/** A comment's field is the empty one. */
function fieldOf(line: string): [field: string, value: string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}
