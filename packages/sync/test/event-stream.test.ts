/** Server-sent events: reading them, and the two ways to get them. */

import { describe, expect, test } from "bun:test";

import type { Environment, EventStream } from "../src/environment.ts";
import { EventParser, SILENT_FOR_MS } from "../src/event-stream.ts";
import { SyncEngine } from "../src/engine.ts";
import { ANSWER_WITHIN_MS, LOOK_EVERY_MS, SILENT_MS } from "../src/liveness.ts";
import { WAKE_WITHIN_MS } from "../src/wakeups.ts";
import { chanceFrom } from "./chance.ts";
import { settled, World } from "./world.ts";

describe("a stream's text", () => {
  const TEXT = [
    ": connected\n\n",
    'data: {"a":1}\n\n',
    "data:no space\n\n",
    "data: one\ndata: two\n\n",
    "event: news\ndata: hidden\n\n",
    "event: message\r\ndata: crlf\r\n\r\n",
    ": keepalive\n\n",
    "id: 7\nretry: 1\nunknown\n\n",
    "data: ü€😀\n\n",
    "data: unfinished",
  ].join("");
  const EVENTS = ['{"a":1}', "no space", "one\ntwo", "crlf", "ü€😀"];

  test.each(Array.from({ length: 100 }, (_, seed) => seed))("may be cut anywhere, seed %d", (seed) => {
    const chance = chanceFrom(seed);
    const bytes = new TextEncoder().encode(TEXT);
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const events: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(chance() * 6);
      events.push(...parser.feed(decoder.decode(bytes.subarray(at, end), { stream: true })));
      at = end;
    }

    expect(events).toEqual(EVENTS);
  });
});

/** A host with event streams, through fetch too if `streaming`. */
class Streams {
  readonly world = new World();
  readonly log: string[] = [];
  readonly sources: EventSource[] = [];
  readonly #bodies: ReadableStreamDefaultController<Uint8Array>[] = [];
  status = 200;
  contentType = "text/event-stream";

  environment(streaming: boolean): Environment {
    const { log, sources, world } = this;
    const inner = world.environment();
    return {
      ...inner,
      streamingFetch: streaming,
      EventSource: class implements EventStream {
        onopen: EventSource["onopen"] = null;
        onmessage: EventSource["onmessage"] = null;
        onerror: EventSource["onerror"] = null;

        constructor(url: string) {
          log.push(`source ${url}`);
          // Only what the client uses is here.
          sources.push(this as unknown as EventSource);
        }

        close(): void {
          log.push("source closed");
        }
      },
      fetch: async (url, init) => (url.endsWith("/events") ? this.#open(url, init) : inner.fetch(url, init)),
    };
  }

  engine(streaming: boolean, token: string | undefined): SyncEngine {
    const config = { baseUrl: "http://server:4321", transport: "sse", token, storage: this.world.storage } as const;
    return new SyncEngine(config, this.environment(streaming));
  }

  send(text: string): void {
    this.#bodies.at(-1)?.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.#bodies.at(-1)?.close();
  }

  #open(url: string, init: RequestInit): Response {
    this.log.push(`fetch ${url} ${new Headers(init.headers).get("Authorization")}`);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#bodies.push(controller);
        init.signal?.addEventListener("abort", () => {
          this.log.push("fetch aborted");
          controller.error(new DOMException("aborted", "AbortError"));
        });
      },
    });
    return new Response(body, { status: this.status, headers: { "Content-Type": this.contentType } });
  }
}

describe("with a token", () => {
  test("the stream is read through fetch, which sends it, and stop closes it", async () => {
    const streams = new Streams();
    const engine = streams.engine(true, "t0");
    await engine.start();
    await settled();

    streams.send(": connected\n\n");
    await settled();
    const open = engine.connection.kind;
    streams.send(`data: ${JSON.stringify(streams.world.commit("insert", "n1", { title: "A" }))}\n\n`);
    await settled();
    engine.stop();
    await settled();

    expect(open).toBe("open");
    expect(engine.store.get("Note", "n1")).toEqual({ id: "n1", title: "A" });
    expect(streams.log).toEqual(["fetch http://server:4323/events Bearer t0", "fetch aborted"]);
    expect(streams.world.clock.timersDue).toBe(0);
  });

  test("a host that cannot read bodies as they come uses an EventSource, without it", async () => {
    const streams = new Streams();
    await streams.engine(false, "t0").start();

    expect(streams.log).toEqual(["source http://server:4323/events"]);
  });

  test("a stream that ends is opened again", async () => {
    const streams = new Streams();
    const engine = streams.engine(true, "t0");
    await engine.start();
    await settled();

    streams.end();
    await settled();
    const after = engine.connection;
    await streams.world.clock.advance(1000);

    expect(after).toEqual({ kind: "waiting", attempt: 1, delayMs: 1000 });
    expect(streams.log.filter((line) => line.startsWith("fetch http"))).toHaveLength(2);
  });

  test("a stream that falls silent is given up", async () => {
    const streams = new Streams();
    const engine = streams.engine(true, "t0");
    await engine.start();
    await settled();

    await streams.world.clock.advance(SILENT_FOR_MS - 1);
    streams.send(": keepalive\n\n");
    await streams.world.clock.advance(SILENT_FOR_MS - 1);
    const kept = engine.connection.kind;
    await streams.world.clock.advance(1);
    await settled();

    expect(kept).toBe("open");
    expect(engine.connection.kind).toBe("waiting");
  });

  test("one that missed something is opened again when there is a network again", async () => {
    const streams = new Streams();
    const engine = streams.engine(true, "t0");
    await engine.start();
    await settled();
    streams.world.commit("insert", "n1", {});

    streams.world.wake();
    await streams.world.clock.advance(WAKE_WITHIN_MS);

    expect(engine.store.get("Note", "n1")).toEqual({ id: "n1" });
    expect(engine.connection.kind).toBe("waiting");
  });

  test.each([
    [401, "text/event-stream"],
    [200, "text/html"],
  ])("an answer that is no stream (%d, %s) opens nothing", async (status, contentType) => {
    const streams = new Streams();
    Object.assign(streams, { status, contentType });
    const engine = streams.engine(true, "t0");

    await engine.start();
    await settled();

    expect(engine.connection.kind).toBe("waiting");
    expect(streams.log).toContain("fetch aborted");
  });
});

describe("without a token", () => {
  test("an EventSource gives its unnamed events, and one that fails is closed rather than left to itself", async () => {
    const streams = new Streams();
    const engine = streams.engine(true, undefined);
    await engine.start();
    const [source] = streams.sources;

    source?.onopen?.(new Event("open"));
    await settled();
    const event = JSON.stringify(streams.world.commit("insert", "n1", {}));
    source?.onmessage?.(new MessageEvent("message", { data: event }));
    source?.onerror?.(new Event("error"));

    expect(engine.store.get("Note", "n1")).toEqual({ id: "n1" });
    expect(engine.connection.kind).toBe("waiting");
    expect(streams.log).toEqual(["source http://server:4323/events", "source closed"]);
  });

  test("whose comments nobody sees, is looked at when it is silent", async () => {
    const streams = new Streams();
    const engine = streams.engine(false, undefined);
    await engine.start();
    streams.sources[0]?.onopen?.(new Event("open"));
    await settled();
    await streams.world.clock.advance(SILENT_MS + ANSWER_WITHIN_MS);
    const kept = engine.connection.kind;
    streams.world.commit("insert", "n1", {});

    await streams.world.clock.advance(LOOK_EVERY_MS + ANSWER_WITHIN_MS);

    expect([kept, engine.connection.kind]).toEqual(["open", "waiting"]);
  });

  test("stop closes it", async () => {
    const streams = new Streams();
    const engine = streams.engine(false, undefined);
    await engine.start();

    engine.stop();

    expect(streams.log).toEqual(["source http://server:4323/events", "source closed"]);
  });
});
