/**
 * The live connection: one socket or event stream at a time, opened again whenever it ends.
 *
 *     idle ──start──▶ connecting ──▶ open
 *      ▲                  │  ▲         │
 *      │               lost  due     lost
 *      │                  ▼  │         │
 *      └──────stop──── waiting ◀───────┘        (stop leads to idle from every state)
 *
 * Knows states, delays and frames; holds no rows and does not know what a frame means. How a channel is made
 * is a `Dial`: one for WebSocket, one for EventSource.
 */

import type { Backoff } from "./backoff.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { SocketConstructor } from "./environment.ts";
import { Listeners } from "./listeners.ts";

/** A connection must have lasted this long to count as recovered; shorter ones keep the delay growing. */
export const STABLE_AFTER_MS = 5_000;

export type ConnectionState =
  /** Not started, or stopped. */
  | { kind: "idle" }
  /** A channel is being opened. */
  | { kind: "connecting" }
  /** Events arrive. */
  | { kind: "open"; sinceMs: number }
  /** The channel ended or could not be opened; the next attempt follows after `delayMs`. */
  | { kind: "waiting"; attempt: number; delayMs: number };

/** An open channel. */
export interface Channel {
  send(text: string): void;
  close(): void;
  /** Make sure now that it is alive, where one can; it is lost when it is not. */
  check(): void;
}

export interface ChannelEvents {
  opened(): void;
  text(text: string): void;
  binary(bytes: Uint8Array): void;
  /** The channel ended, or never opened. */
  lost(): void;
}

/** Starts to open a channel. May throw when the host cannot. */
export type Dial = (events: ChannelEvents) => Channel;

export interface ConnectionHandlers {
  opened(): void;
  text(text: string): void;
  binary(bytes: Uint8Array): void;
  /** An attempt or an open channel ended, and another attempt will follow. `wasOpen` tells which. */
  lost(wasOpen: boolean): void;
}

export class Connection {
  readonly #dial: Dial;
  readonly #handlers: ConnectionHandlers;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #listeners = new Listeners();
  #state: ConnectionState = { kind: "idle" };
  #channel: Channel | null = null;
  #cancelTimer: Cancel | null = null;
  /** Counts channels, so that what a replaced channel still says is not heard. */
  #generation = 0;

  constructor(dial: Dial, handlers: ConnectionHandlers, clock: Clock, backoff: Backoff) {
    this.#dial = dial;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#backoff = backoff;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Call `listener` on every change of state; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Does nothing when already started. */
  start(): void {
    if (this.#state.kind === "idle") this.#connect();
  }

  /** Does nothing when already stopped. */
  stop(): void {
    if (this.#state.kind === "idle") return;
    this.#backoff.reset();
    this.#leave();
    this.#enter({ kind: "idle" });
  }

  /** Drop the channel and open another at once, as for a new identity; nothing when stopped. */
  restart(): void {
    if (this.#state.kind === "idle") return;
    this.#leave();
    this.#connect();
  }

  /** There may be a network again, or another one: wait no longer, or make sure that the channel is alive. */
  wake(): void {
    if (this.#state.kind === "open") this.#channel?.check();
    if (this.#state.kind !== "waiting") return;
    this.#leave();
    this.#connect();
  }

  /** Send if open. Returns whether it was. */
  send(text: string): boolean {
    if (this.#state.kind !== "open") return false;
    this.#channel?.send(text);
    return true;
  }

  #connect(): void {
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    this.#enter({ kind: "connecting" });
    try {
      this.#channel = this.#dial({
        opened: () => current() && this.#opened(),
        text: (text) => current() && this.#handlers.text(text),
        binary: (bytes) => current() && this.#handlers.binary(bytes),
        lost: () => current() && this.#lost(),
      });
    } catch (error) {
      console.warn("pylon: the live connection could not be opened", error);
      this.#lost();
    }
  }

  #opened(): void {
    this.#enter({ kind: "open", sinceMs: this.#clock.now() });
    this.#handlers.opened();
  }

  #lost(): void {
    const before = this.#state;
    const wasOpen = before.kind === "open";
    if (wasOpen && this.#clock.now() - before.sinceMs >= STABLE_AFTER_MS) this.#backoff.reset();
    this.#leave();
    const delayMs = this.#backoff.next();
    this.#cancelTimer = this.#clock.after(delayMs, () => this.#connect());
    this.#enter({ kind: "waiting", attempt: this.#backoff.attempts, delayMs });
    this.#handlers.lost(wasOpen);
  }

  /** End whatever the present state holds: the channel and the timer. */
  #leave(): void {
    this.#generation += 1;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const channel = this.#channel;
    this.#channel = null;
    channel?.close();
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#listeners.call();
  }
}

/** The token as a WebSocket subprotocol: browsers let a page set no header on an upgrade. */
export function bearerProtocol(token: string): string {
  // encodeURIComponent leaves parentheses, which a protocol name may not hold.
  const escaped = encodeURIComponent(token).replaceAll("(", "%28").replaceAll(")", "%29");
  return `bearer.${escaped}`;
}

export function dialWebSocket(Socket: SocketConstructor, url: string, token: () => string | null): Dial {
  return (events) => {
    const bearer = token();
    const socket = bearer === null ? new Socket(url) : new Socket(url, [bearerProtocol(bearer)]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened();
    socket.onclose = () => events.lost();
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string") events.text(data);
      else if (data instanceof ArrayBuffer) events.binary(new Uint8Array(data));
    };
    return { send: (text) => socket.send(text), close: () => socket.close(), check: () => undefined };
  };
}
