/**
 * A client of one shard: snapshots in, inputs out, connected again whenever the connection ends.
 *
 *     connecting ──▶ open ──lost──▶ waiting ──▶ connecting
 *          └──────────lost────────────▲
 *
 * `close()` leads to closed from everywhere, and so does a refusal (close code 1008).
 *
 * The delay grows until a frame arrives: a server that accepts the socket only to end it is not a recovery.
 */

import { pageLocation } from "./config.ts";
import { toError } from "./request.ts";
import { decodeBinaryFrame, decodeTextFrame, type ShardFrame } from "./shardFrame.ts";

const DEFAULT_PORT = 4324;
const BACKOFF_MS_MAX = 10_000;
const REFUSED = 1008;

export interface ShardOptions {
  /** Must be the session's user id, unless the shard's policy says otherwise. */
  subscriberId: string;
  token?: string | undefined;
  /** A host name, or a URL of which the host name is taken. */
  baseUrl?: string | undefined;
  wsPort?: number | undefined;
  /** Used as it is; must name shard and subscriber itself. */
  wsUrl?: string | undefined;
  /** Accepted and without effect. */
  sseFallback?: boolean | undefined;
  autoReconnect?: boolean | undefined;
  reconnectBackoffMs?: number | undefined;
}

type Unsubscribe = () => void;

export interface ShardConnection<S, I> {
  onSnapshot(handler: (snapshot: S, tick: number) => void): Unsubscribe;
  onError(handler: (error: Error) => void): Unsubscribe;
  onOpen(handler: () => void): Unsubscribe;
  onClose(handler: () => void): Unsubscribe;
  /** The input's number, from 1 on. While not connected the input is lost and reported to `onError`. */
  send(input: I): number;
  /** For good. */
  close(): void;
  readonly connected: boolean;
}

/** Connects at once. */
export function connectShard<S = unknown, I = unknown>(shardId: string, options: ShardOptions): ShardConnection<S, I> {
  return new ShardClient<S, I>(shardId, options);
}

class ShardClient<S, I> implements ShardConnection<S, I> {
  readonly #shardId: string;
  readonly #options: ShardOptions;
  readonly #snapshotHandlers = new Set<(snapshot: S, tick: number) => void>();
  readonly #errorHandlers = new Set<(error: Error) => void>();
  readonly #openHandlers = new Set<() => void>();
  readonly #closeHandlers = new Set<() => void>();
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #failures = 0;
  #sent = 0;

  constructor(shardId: string, options: ShardOptions) {
    this.#shardId = shardId;
    this.#options = options;
    this.#connect();
  }

  onSnapshot(handler: (snapshot: S, tick: number) => void): Unsubscribe {
    return added(this.#snapshotHandlers, handler);
  }

  onError(handler: (error: Error) => void): Unsubscribe {
    return added(this.#errorHandlers, handler);
  }

  onOpen(handler: () => void): Unsubscribe {
    return added(this.#openHandlers, handler);
  }

  onClose(handler: () => void): Unsubscribe {
    return added(this.#closeHandlers, handler);
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  send(input: I): number {
    this.#sent += 1;
    if (this.connected) this.#socket?.send(JSON.stringify({ input, client_seq: this.#sent }));
    else this.#fail(new Error("the shard is not connected: the input was not sent"));
    return this.#sent;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    let socket: WebSocket;
    try {
      socket = open(shardUrl(this.#shardId, this.#options), this.#options.token);
    } catch (thrown) {
      // Later, so that handlers added after construction hear of it. The same address would fail again.
      queueMicrotask(() => this.#fail(toError(thrown)));
      this.#closed = true;
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => call(this.#openHandlers);
    socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  #lost(code: number, reason: string): void {
    this.#socket = null;
    call(this.#closeHandlers);
    if (this.#closed) return;
    if (code === REFUSED) {
      this.#closed = true;
      this.#fail(new Error(reason === "" ? "the shard refused the connection" : reason));
    } else if (this.#options.autoReconnect ?? true) {
      const delayMs = Math.min(BACKOFF_MS_MAX, (this.#options.reconnectBackoffMs ?? 500) * 2 ** this.#failures);
      this.#failures += 1;
      this.#timer = setTimeout(() => this.#connect(), delayMs);
    }
  }

  #receive(data: unknown): void {
    let frame: ShardFrame<S> | null = null;
    try {
      if (data instanceof ArrayBuffer) frame = decodeBinaryFrame<S>(data);
      else if (typeof data === "string") frame = decodeTextFrame<S>(data);
    } catch (thrown) {
      this.#fail(toError(thrown));
      return;
    }
    if (frame === null || this.#closed) return;
    this.#failures = 0;
    call(this.#snapshotHandlers, frame.snapshot, frame.tick);
  }

  #fail(error: Error): void {
    call(this.#errorHandlers, error);
  }
}

/** Where the shard's socket is when the app does not say: the page's host, on the port shards have by default. */
export function shardUrl(shardId: string, options: ShardOptions): string {
  if (options.wsUrl !== undefined) return options.wsUrl;
  const page = pageLocation();
  const scheme = page?.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams({ shard: shardId, sid: options.subscriberId });
  return `${scheme}://${hostOf(options.baseUrl ?? page?.hostname ?? "")}:${options.wsPort ?? DEFAULT_PORT}/?${query}`;
}

function hostOf(base: string): string {
  const host = base.includes("://") ? new URL(base).hostname : base;
  return host === "" ? "localhost" : host;
}

/** Browsers let a page set no header on an upgrade, so the token goes as a subprotocol. */
function open(url: string, token: string | undefined): WebSocket {
  if (token === undefined) return new WebSocket(url);
  // encodeURIComponent leaves parentheses, which a protocol name may not hold.
  const escaped = encodeURIComponent(token).replaceAll("(", "%28").replaceAll(")", "%29");
  return new WebSocket(url, [`bearer.${escaped}`]);
}

function added<H>(handlers: Set<H>, handler: H): Unsubscribe {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}

function call<Args extends unknown[]>(handlers: Iterable<(...args: Args) => void>, ...args: Args): void {
  for (const handler of [...handlers]) handler(...args);
}
