/**
 * A world under the test's control: time, chance, sockets, and a server that keeps a change log.
 *
 * Everything that happens is written to one log as "<ms> <what>", which tests compare with a list.
 */

import { IDBFactory } from "fake-indexeddb";

import type { Clock } from "../src/clock.ts";
import type { SyncEngineConfig } from "../src/config.ts";
import { SyncEngine } from "../src/engine.ts";
import type { Environment, LockRequester, Socket } from "../src/environment.ts";
import type { ChangeEvent, ChangeKind, ClientChange, Row } from "../src/protocol.ts";
import { memoryStorage } from "../src/storage.ts";

/** Let everything that only waits for promises happen. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Let everything that waits for promises or for the database happen; each of its requests takes a turn or two. */
export async function calm(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await settled();
}

/** What tabs of one browser share: the database, locks, and channels. */
export class Browser {
  readonly indexedDB = new IDBFactory();
  readonly channels = new Set<FakeChannel>();
  readonly #hasLocks: boolean;
  readonly #locks = new Map<string, Promise<void>>();

  constructor({ locks = true }: { locks?: boolean } = {}) {
    this.#hasLocks = locks;
  }

  readonly locks: LockRequester = {
    request: (name, action) => {
      const turn = (this.#locks.get(name) ?? Promise.resolve()).then(action);
      this.#locks.set(name, turn.catch(() => undefined));
      return turn;
    },
  };

  environment(): Partial<Environment> {
    const { channels } = this;
    const Channel = class extends FakeChannel {
      constructor(name: string) {
        super(name, channels);
      }
    };
    return {
      indexedDB: this.indexedDB,
      locks: this.#hasLocks ? this.locks : undefined,
      // Only what the client uses of a channel is here.
      BroadcastChannel: Channel as unknown as Environment["BroadcastChannel"],
    };
  }
}

class FakeChannel {
  onmessage: ((event: MessageEvent) => void) | null = null;

  constructor(
    readonly name: string,
    readonly channels: Set<FakeChannel>,
  ) {
    channels.add(this);
  }

  postMessage(data: unknown): void {
    for (const other of this.channels) {
      if (other === this || other.name !== this.name) continue;
      queueMicrotask(() => this.channels.has(other) && other.onmessage?.(new MessageEvent("message", { data })));
    }
  }

  close(): void {
    this.channels.delete(this);
  }
}

export class FakeClock implements Clock {
  #now = 0;
  #timers: { at: number; action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { at: this.#now + delayMs, action };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  get timersDue(): number {
    return this.#timers.length;
  }

  /** Let `ms` pass, running what falls due in order, each followed by what it set in motion. */
  async advance(ms: number, rest: () => Promise<void> = settled): Promise<void> {
    const end = this.#now + ms;
    await rest();
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.action();
      await rest();
    }
    this.#now = end;
  }
}

export class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  onopen: WebSocket["onopen"] = null;
  onmessage: WebSocket["onmessage"] = null;
  onclose: WebSocket["onclose"] = null;
  readonly sent: string[] = [];
  /** Whether the server is there, and answers pings. */
  answersPings = true;
  readonly #closed: () => void;
  #ended = false;

  constructor(
    readonly url: string,
    readonly protocols: string[],
    closed: () => void,
  ) {
    this.#closed = closed;
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this.sent.push(String(data));
    if (data === '{"type":"ping"}' && this.answersPings) queueMicrotask(() => this.receive({ type: "pong" }));
  }

  close(): void {
    if (!this.#ended) this.#closed();
    this.#ended = true;
  }

  open(): void {
    this.onopen?.call(this as unknown as WebSocket, new Event("open"));
  }

  receive(message: unknown): void {
    const data = message instanceof ArrayBuffer || typeof message === "string" ? message : JSON.stringify(message);
    this.onmessage?.call(this as unknown as WebSocket, new MessageEvent("message", { data }));
  }

  /** The server or the network ends it. */
  drop(): void {
    this.#ended = true;
    this.onclose?.call(this as unknown as WebSocket, new CloseEvent("close"));
  }
}

export interface Reply {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

type Route = (body: Row, url: URL) => Reply | Promise<Reply>;

/** As `fetch` does: who gives up hears of no answer. */
async function unlessAborted<T>(answer: T | Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (signal === null || signal === undefined) return answer;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(new DOMException("aborted", "AbortError"));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
  return Promise.race([answer, aborted]);
}

const refused: Reply = { status: 404, body: { error: { code: "NOT_FOUND", message: "no such route" } } };

export class World {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly storage = memoryStorage({ "pylon:client_id": "cl_test" });
  readonly changes: ChangeEvent[] = [];
  readonly routes = new Map<string, Route>();
  session: Row = { user_id: "alice", tenant_id: null, is_admin: false, roles: [] };
  pageSize = 100;
  chance = 1;
  /** The engines' source of chance: always `chance`, unless ids of several engines must differ. */
  random = (): number => this.chance;
  /** Those who want to know that the network is back. */
  readonly sleepers = new Set<() => void>();
  /** Set it before an engine is made: what is saved outlives the engine then. */
  browser: Browser | null = null;

  constructor() {
    this.routes.set("/api/auth/me", () => ({ body: this.session }));
    this.routes.set("/api/sync/pull", (_, url) => ({ body: this.#page(Number(url.searchParams.get("since"))) }));
    this.routes.set("/api/sync/push", (body) => ({ body: this.#applyAll(body["changes"] as ClientChange[]) }));
  }

  /** Commit a change on the server. */
  commit(kind: ChangeKind, row_id: string, data?: Row, entity = "Note"): ChangeEvent {
    const event = { seq: (this.changes.at(-1)?.seq ?? 0) + 1, entity, row_id, kind, data, timestamp: "" };
    this.changes.push(event);
    return event;
  }

  note(what: string): void {
    this.log.push(`${this.clock.now()} ${what}`);
  }

  /** The network is back. */
  wake(): void {
    for (const wake of [...this.sleepers]) wake();
  }

  /** The log since the last look. */
  happened(): string[] {
    return this.log.splice(0);
  }

  /** Answer the next requests to `path` with these, then as before. */
  next(path: string, ...replies: (Reply | Error)[]): void {
    const usual = this.routes.get(path) ?? (() => refused);
    this.routes.set(path, (body, url) => {
      const reply = replies.shift();
      if (reply === undefined) return usual(body, url);
      if (reply instanceof Error) throw reply;
      return reply;
    });
  }

  /** Hold the next answer of `path` until the returned function is called. */
  hold(path: string): () => void {
    const usual = this.routes.get(path) ?? (() => refused);
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    this.routes.set(path, async (body, url) => {
      this.routes.set(path, usual);
      const reply = await usual(body, url);
      await gate;
      return reply;
    });
    return release;
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  engine(config: Partial<SyncEngineConfig> = {}): SyncEngine {
    return new SyncEngine(
      { baseUrl: "http://server:4321", token: "t0", storage: this.storage, ...config },
      this.environment(),
    );
  }

  /** An engine that has started, connected and caught up, with the log emptied. */
  async live(config: Partial<SyncEngineConfig> = {}): Promise<SyncEngine> {
    const engine = this.engine(config);
    await engine.start();
    this.socket.open();
    await (this.browser === null ? settled() : calm());
    this.happened();
    return engine;
  }

  environment(): Environment {
    const world = this;
    return {
      clock: this.clock,
      random: () => this.random(),
      fetch: (url, init) => this.#fetch(new URL(url), init),
      EventSource: undefined,
      wakeups: (wake) => {
        this.sleepers.add(wake);
        return () => void this.sleepers.delete(wake);
      },
      ...this.browser?.environment(),
      WebSocket: class extends FakeSocket {
        constructor(url: string, protocols: string[] = []) {
          super(url, protocols, () => world.note("close"));
          world.sockets.push(this);
          world.note(`connect ${url}`);
        }
      },
    };
  }

  async #fetch(url: URL, init: RequestInit): Promise<Response> {
    this.note(`${init.method} ${url.pathname}${url.search}`);
    const route = this.routes.get(url.pathname) ?? (() => refused);
    const body: Row = typeof init.body === "string" ? JSON.parse(init.body) : {};
    const { status = 200, body: answer, headers = {} } = await unlessAborted(route(body, url), init.signal);
    return new Response(JSON.stringify(answer ?? null), { status, headers });
  }

  #page(since: number): unknown {
    const after = this.changes.filter(({ seq }) => seq > since);
    const changes = after.slice(0, this.pageSize);
    const last_seq = changes.at(-1)?.seq ?? since;
    return { changes, cursor: { last_seq }, has_more: after.length > changes.length };
  }

  #applyAll(changes: ClientChange[]): unknown {
    for (const { kind, row_id, data, entity } of changes) this.commit(kind, row_id, data, entity);
    const results = changes.map(({ op_id, row_id }) => ({ op_id, row_id, status: "applied" }));
    const last_seq = this.changes.at(-1)?.seq ?? 0;
    return { applied: changes.length, deduped: 0, errors: [], results, cursor: { last_seq } };
  }
}
