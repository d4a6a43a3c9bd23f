/**
 * Who is there, as far as they say so: what each user of the tenant last said of themselves.
 *
 * The server relays presence and keeps none. So whoever shares theirs repeats it, at once when somebody new is heard,
 * and who has not been heard of for a while is gone. Saying an empty object is saying goodbye, which a page that is
 * closed does; where it cannot, servers may say whose connection ended. A user may have other pages, which say so when
 * they hear of the end of one. Bounded: beyond `PEERS_MAX` the one heard of longest ago goes.
 */

import type { PresenceMessage, Row, SyncEngine } from "@pylonsync/sync";
import { debounce } from "./debounce.ts";
import { sameJson } from "./equality.ts";
import { onPageEvent } from "./pageEvents.ts";

export const REPEAT_MS = 20_000;
export const GONE_AFTER_MS = 50_000;
/** How long another page of a user whose connection ended has to say that they are still there. */
export const LEFT_AFTER_MS = 3_000;
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
  readonly #forgetLeft = debounce(() => this.#forgetSilent(), LEFT_AFTER_MS, REPEAT_MS);
  #peers = NOBODY;
  #mine: Row | null = null;
  #beat: ReturnType<typeof setInterval> | undefined;
  #stops: (() => void)[] = [];

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
    this.#stops = [
      this.#sync.onPresence((message) => this.#hear(message)),
      onPageEvent("pagehide", () => this.#mine !== null && this.#sync.setPresence({})),
      // From the browser's cache, with all that it was.
      onPageEvent("pageshow", () => this.#announce()),
    ];
    this.#beat = setInterval(() => {
      this.#announce();
      this.#forgetSilent();
    }, REPEAT_MS);
  }

  #end(): void {
    for (const stop of this.#stops.splice(0)) stop();
    clearInterval(this.#beat);
    this.#greet.cancel();
    this.#forgetLeft.cancel();
    this.#heard.clear();
    this.#peers = NOBODY;
  }

  #hear(message: PresenceMessage): void {
    const { from: userId } = message;
    if (userId === null) return;
    const data = message.event === "update" ? message.data : null;
    const isGoodbye = data === null || Object.keys(data).length === 0;
    if (userId === this.#sync.resolvedSession().userId) {
      // Another page of ours; this one is still here.
      if (isGoodbye) this.#greet();
      return;
    }
    if (data === null) return this.#hearEnd(userId);
    const known = this.#heard.get(userId);
    this.#heard.delete(userId);
    if (!isGoodbye) {
      this.#heard.set(userId, { userId, data, atMs: Date.now() });
      if (known === undefined) this.#greet();
    }
    const [longestAgo] = this.#heard.keys();
    if (this.#heard.size > PEERS_MAX && longestAgo !== undefined) this.#heard.delete(longestAgo);
    this.#show();
  }

  /** One of the user's connections ended. */
  #hearEnd(userId: string): void {
    const heard = this.#heard.get(userId);
    if (heard === undefined) return;
    heard.atMs = Math.min(heard.atMs, Date.now() - GONE_AFTER_MS + LEFT_AFTER_MS);
    this.#forgetLeft();
  }

  #forgetSilent(): void {
    const now = Date.now();
    for (const { userId, atMs } of [...this.#heard.values()]) {
      if (now - atMs >= GONE_AFTER_MS) this.#heard.delete(userId);
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
