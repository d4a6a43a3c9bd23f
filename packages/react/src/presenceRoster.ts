/**
 * Who is there, as far as they say so: what each user of the tenant last said of themselves.
 *
 * The server relays presence and keeps none, and does not say whose connection ended. So whoever shares theirs repeats
 * it, at once when somebody new is heard, and who has not been heard of for a while is gone. Saying an empty object is
 * saying goodbye. Bounded: beyond `PEERS_MAX` the one heard of longest ago goes.
 */

import type { PresenceMessage, Row, SyncEngine } from "@pylonsync/sync";
import { debounce } from "./debounce.ts";
import { sameJson } from "./equality.ts";

export const REPEAT_MS = 20_000;
export const GONE_AFTER_MS = 50_000;
const PEERS_MAX = 1_000;
/** Newcomers come in crowds: they are greeted together. */
const GREET_AFTER_MS = 250;

export interface PresencePeer<T = Row> {
  userId: string;
  data: T;
}

interface Heard extends PresencePeer {
  atMs: number;
}

const NOBODY: readonly PresencePeer[] = [];

export class PresenceRoster {
  readonly #sync: SyncEngine;
  readonly #listeners = new Set<() => void>();
  /** Heard of longest ago first. */
  readonly #heard = new Map<string, Heard>();
  readonly #greet = debounce(() => this.#announce(), GREET_AFTER_MS, GREET_AFTER_MS);
  #peers = NOBODY;
  #mine: Row | null = null;
  #beat: ReturnType<typeof setInterval> | undefined;
  #stop: (() => void) | null = null;

  constructor(sync: SyncEngine) {
    this.#sync = sync;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#end();
    };
  };

  readonly getSnapshot = (): readonly PresencePeer[] => this.#peers;

  /** Say this of ourselves from now on; null ends it. */
  readonly share = (mine: Row | null): void => {
    if (mine === null && this.#mine !== null) this.#sync.setPresence({});
    this.#mine = mine;
    this.#announce();
  };

  #begin(): void {
    this.#stop = this.#sync.onPresence((message) => this.#hear(message));
    this.#beat = setInterval(() => {
      this.#announce();
      this.#forgetSilent();
    }, REPEAT_MS);
  }

  #end(): void {
    this.#stop?.();
    this.#stop = null;
    clearInterval(this.#beat);
    this.#greet.cancel();
    this.#heard.clear();
    this.#peers = NOBODY;
  }

  #hear(message: PresenceMessage): void {
    if (message.event !== "update" || message.from === null) return;
    const { from: userId, data } = message;
    if (userId === this.#sync.resolvedSession().userId) return;
    const known = this.#heard.get(userId);
    this.#heard.delete(userId);
    if (Object.keys(data).length > 0) {
      this.#heard.set(userId, { userId, data, atMs: Date.now() });
      if (known === undefined) this.#greet();
    }
    const [longestAgo] = this.#heard.keys();
    if (this.#heard.size > PEERS_MAX && longestAgo !== undefined) this.#heard.delete(longestAgo);
    this.#show();
  }

  #forgetSilent(): void {
    const now = Date.now();
    for (const { userId, atMs } of [...this.#heard.values()]) {
      if (now - atMs > GONE_AFTER_MS) this.#heard.delete(userId);
    }
    this.#show();
  }

  #announce(): void {
    if (this.#mine !== null) this.#sync.setPresence(this.#mine);
  }

  #show(): void {
    const peers = [...this.#heard.values()].map(({ userId, data }) => ({ userId, data }));
    peers.sort((a, b) => (a.userId < b.userId ? -1 : 1));
    if (sameJson(peers, this.#peers)) return;
    this.#peers = peers;
    for (const listener of [...this.#listeners]) listener();
  }
}

const rosters = new WeakMap<SyncEngine, PresenceRoster>();

/** The roster of an engine: the same one for all components. */
export function presenceRoster(sync: SyncEngine): PresenceRoster {
  const roster = rosters.get(sync) ?? new PresenceRoster(sync);
  rosters.set(sync, roster);
  return roster;
}
