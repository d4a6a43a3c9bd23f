/** An engine without a network, and a `fetch` under the test's control. */

import {
  type ChangeEvent, type ChangeKind, createWriteThroughStorage, type Environment, type Row, type Storage, SyncEngine,
} from "@pylonsync/sync";
import { configureClient, setReactStorage } from "../src/index.ts";

export function memoryStorage(seed: Record<string, string> = {}): Storage {
  return createWriteThroughStorage(seed, () => undefined);
}

/** Configuration is the page's, so each test begins with its own. */
export function freshClient(seed: Record<string, string> = {}): Storage {
  const storage = memoryStorage(seed);
  configureClient({ baseUrl: "http://localhost:4321", appName: "default" });
  setReactStorage(storage);
  return storage;
}

/** An engine whose server holds nothing: it answers pulls with no changes and never connects. */
export function engine(routes: Routes = () => undefined): SyncEngine {
  return engineOver(async (url, init) => {
    const path = new URL(url).pathname;
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    return Response.json((await routes(path, body)) ?? nothing(path));
  });
}

/** An engine whose requests a `FakeFetch` gets. */
export function fetchingEngine(): SyncEngine {
  return engineOver((url, init) => fetch(url, init));
}

type Routes = (path: string, body: unknown) => unknown;

function engineOver(fetch: Environment["fetch"]): SyncEngine {
  return new SyncEngine(
    { baseUrl: "http://test", transport: "poll", pollInterval: 60_000, storage: memoryStorage() },
    {
      fetch,
      WebSocket: undefined,
      EventSource: undefined,
      clock: { now: () => Date.now(), after: () => () => undefined },
      random: () => 0.5,
    },
  );
}

function nothing(path: string): unknown {
  if (path === "/api/sync/pull") return { changes: [], cursor: { last_seq: 0 }, has_more: false };
  if (path === "/api/auth/me") return { user_id: "ann", is_admin: false, roles: [] };
  return { applied: 0, errors: [], cursor: { last_seq: 0 } };
}

let seq = 0;

/** What the server says. */
export function event(kind: ChangeKind, rowId: string, data?: Row, entity = "Todo"): ChangeEvent {
  seq += 1;
  return { seq, entity, row_id: rowId, kind, data, timestamp: "" };
}

export interface Seen {
  method: string;
  path: string;
  headers: Headers;
  body: unknown;
  signal: AbortSignal | undefined;
  /** Answer it. */
  answer(body: unknown, status?: number, headers?: Record<string, string>): void;
  /** Nobody answers. */
  fail(): void;
}

/** The servers that a `FakeFetch` stands for. */
const FAKED = new Set(["http://test", "http://localhost:4321"]);

/**
 * Puts `fetch` aside: requests wait in `seen` until the test answers them. `restore` puts it back.
 *
 * Requests to another server go there: an engine that an earlier test stopped may have one under way.
 */
export class FakeFetch {
  readonly seen: Seen[] = [];
  readonly #real = globalThis.fetch;

  constructor() {
    const fake = (url: string, init: RequestInit = {}): Promise<Response> => {
      if (!FAKED.has(new URL(url).origin)) return this.#real(url, init);
      return new Promise((resolve, reject) => {
        init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
        this.seen.push({
          method: init.method ?? "GET",
          path: new URL(url).pathname,
          headers: new Headers(init.headers),
          body: typeof init.body === "string" ? JSON.parse(init.body) : init.body,
          signal: init.signal ?? undefined,
          answer: (body, status = 200, headers = {}) =>
            resolve(body instanceof ReadableStream ? new Response(body, { status, headers }) : Response.json(body, { status, headers })),
          fail: () => reject(new TypeError("nobody answers")),
        });
      });
    };
    globalThis.fetch = Object.assign(fake, { preconnect: () => undefined }) as typeof fetch;
  }

  restore(): void {
    globalThis.fetch = this.#real;
  }

  /** The only request that waits at the end of the list. */
  get last(): Seen {
    const request = this.seen.at(-1);
    if (request === undefined) throw new Error("nothing was asked");
    return request;
  }

  paths(): string[] {
    return this.seen.map(({ method, path }) => `${method} ${path}`);
  }
}
