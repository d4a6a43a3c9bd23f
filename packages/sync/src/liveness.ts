/**
 * Finds channels that died without a word: a network that is gone sends no goodbye, and pages cannot see the pings of
 * servers.
 *
 *     heard ──silent for SILENT_MS──▶ asked ──anything heard──▶ heard
 *                                       └──nothing for ANSWER_WITHIN_MS──▶ lost, where the server answers pings
 *                                                                     └──▶ looked at, where it is not known to
 *
 * A server that does not know pings passes over them. Then it is looked whether the channel should have told something
 * that it did not; while nothing happens, a dead channel does no harm. That costs a request and is done less often.
 */

import type { Cancel, Clock } from "./clock.ts";
import { parseFrame } from "./messages.ts";
import type { Channel, ChannelEvents, Dial } from "./transport.ts";

export const SILENT_MS = 30_000;
export const ANSWER_WITHIN_MS = 10_000;
/** How often a silent channel is looked at whose server does not answer pings. */
export const LOOK_EVERY_MS = 120_000;

const PING = JSON.stringify({ type: "ping" });

/** What is known of the server, from all channels to it. */
interface Server {
  answers: boolean;
}

/**
 * A dial whose channels are lost when they turn out to be dead. `misses` finds out, beside the channel, whether it kept
 * something from us.
 */
export function watched(dial: Dial, clock: Clock, misses: () => Promise<boolean>): Dial {
  const server: Server = { answers: false };
  return (events) => new WatchedChannel(dial, events, clock, misses, server);
}

class WatchedChannel implements Channel {
  readonly #events: ChannelEvents;
  readonly #clock: Clock;
  readonly #misses: () => Promise<boolean>;
  readonly #server: Server;
  readonly #channel: Channel;
  #heardAtMs = 0;
  /** Whether a ping was answered on this channel. */
  #answers = false;
  /** Whether a ping is out, and nothing was heard since. */
  #asked = false;
  #ended = false;
  #cancel: Cancel | null = null;

  constructor(dial: Dial, events: ChannelEvents, clock: Clock, misses: () => Promise<boolean>, server: Server) {
    this.#events = events;
    this.#clock = clock;
    this.#misses = misses;
    this.#server = server;
    this.#channel = dial({
      opened: () => {
        events.opened();
        this.#heard();
        this.#checkAfter(SILENT_MS);
      },
      text: (text) => this.#text(text),
      binary: (bytes) => {
        this.#heard();
        events.binary(bytes);
      },
      lost: () => this.#lose(),
    });
  }

  send(text: string): void {
    this.#channel.send(text);
  }

  close(): void {
    this.#end();
    this.#channel.close();
  }

  check(): void {
    this.#ask();
    if (this.#asked && !this.#server.answers) void this.#look();
  }

  /** Nothing before it has opened: it is too young to be dead. */
  #ask(): void {
    if (this.#cancel === null || this.#asked) return;
    this.#asked = true;
    this.#channel.send(PING);
    this.#after(ANSWER_WITHIN_MS, () => void this.#unanswered());
  }

  #text(text: string): void {
    if (this.#asked && parseFrame(text)?.["type"] === "pong") this.#answers = this.#server.answers = true;
    this.#heard();
    this.#events.text(text);
  }

  #heard(): void {
    this.#heardAtMs = this.#clock.now();
    if (!this.#asked) return;
    this.#asked = false;
    this.#checkAfter(SILENT_MS);
  }

  /** Check when nothing was heard for `silentMs`. One timer, however much is heard meanwhile. */
  #checkAfter(silentMs: number): void {
    this.#after(Math.max(0, this.#heardAtMs + silentMs - this.#clock.now()), () => {
      if (this.#clock.now() - this.#heardAtMs < silentMs) this.#checkAfter(silentMs);
      else this.#ask();
    });
  }

  async #unanswered(): Promise<void> {
    if (this.#server.answers) {
      // The server may be another one by now, which does not know pings: it is not to be left again and again.
      this.#server.answers = this.#answers;
      return this.#lose();
    }
    await this.#look();
    if (this.#ended || !this.#asked) return;
    this.#asked = false;
    this.#heardAtMs = this.#clock.now();
    this.#checkAfter(LOOK_EVERY_MS);
  }

  async #look(): Promise<void> {
    if ((await this.#misses()) && this.#asked) this.#lose();
  }

  #lose(): void {
    if (this.#ended) return;
    this.#end();
    this.#events.lost();
  }

  #end(): void {
    this.#ended = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #after(delayMs: number, action: () => void): void {
    if (this.#ended) return;
    this.#cancel?.();
    this.#cancel = this.#clock.after(delayMs, action);
  }
}
