/**
 * The replica's way through the change log: where it stands, and how it moves on by pulls and live events.
 *
 * A live event is applied only when nothing before it can be missing. So events are held back from the moment
 * a connection opens until a pull begun after that has ended, and during every later pull; then those the pull
 * did not bring are applied in order. An event never overtakes the page it belongs behind.
 *
 * Servers are bound to leave no gap on a connection, but a seq that does not follow on the last one may still be a
 * change that got lost rather than one of a row that is not for us. So such an event waits for a pull begun after
 * it came, which knows everything before it. At most one such pull is made in `GAP_PULL_INTERVAL_MS`.
 */

import { type Backoff, BACKOFF_CAP_MS, RetryTimer } from "./backoff.ts";
import type { Cancel, Clock } from "./clock.ts";
import { HttpError } from "./http.ts";
import { type ChangeEvent, parsePullResponse, ProtocolError, type PullResponse } from "./protocol.ts";
import { StatusTracker, type SyncStatus } from "./status.ts";
import type { LocalStore } from "./store.ts";

/** Events held back at most; beyond it they are let go and one more pull fetches them. */
export const HELD_EVENTS_MAX = 10_000;

export const GAP_PULL_INTERVAL_MS = 1_000;

const RESYNC_DELAY_DOUBLINGS_MAX = 5;

export interface FeedHooks {
  /** Fetch `path`; rejects with `HttpError` for an error status. */
  get(path: string): Promise<unknown>;
  /** Called before each round of pages; may forget the replica. */
  beforePull(): Promise<void>;
  /** Called after the events up to `seq` were applied. */
  cursorMoved(seq: number): void;
  /** Called after the replica was emptied, before the cursor moves back. */
  forgotten(): void;
  rateLimited(): void;
}

export class ChangeFeed {
  readonly status = new StatusTracker();
  readonly #store: LocalStore;
  readonly #hooks: FeedHooks;
  readonly #retry: RetryTimer;
  readonly #clock: Clock;
  #gapPullDueAt = 0;
  #cancelGapPull: Cancel | null = null;

  #cursor = 0;
  /** How many events came by pulls. */
  #pulled = 0;
  /** Counts the times the replica was forgotten; a page asked for before is of no use after. */
  #generation = 0;
  #pulling: Promise<void> | null = null;
  #resyncs = 0;

  /** Counts openings and closings of the connection; a pull tells by it whether it began after the opening. */
  #linkEpoch = 0;
  #linkOpen = false;
  /** Whether live events follow without a gap on what the replica holds. */
  #caughtUp = false;
  #held: ChangeEvent[] = [];
  #heldOverflowed = false;

  constructor(store: LocalStore, hooks: FeedHooks, clock: Clock, backoff: Backoff) {
    this.#store = store;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#retry = new RetryTimer(clock, backoff, () => void this.pull());
  }

  get cursor(): number {
    return this.#cursor;
  }

  /**
   * Whether a pull brings events, which an open connection should have brought, or nobody answers it. After one that
   * failed the next is due when it is due.
   */
  async misses(): Promise<boolean> {
    const before = this.#pulled;
    if (this.status.current.error === null) await this.pull();
    const { error } = this.status.current;
    return this.#pulled > before || (error !== null && !(error instanceof HttpError));
  }

  /** Take a cursor from a saved replica or a server-rendered page, which held all there was up to it. */
  resumeAt(seq: number): void {
    this.#cursor = seq;
    if (seq > 0) this.status.update({ loaded: true });
  }

  /** Fetch what is new, page by page to the end. Callers share one pull; it never rejects. */
  pull(): Promise<void> {
    if (this.#pulling !== null) return this.#pulling;
    const pulling = (this.#pulling = this.#pull());
    this.status.update({ pulling: true });
    return pulling;
  }

  linkOpened(): void {
    this.#linkEpoch += 1;
    this.#linkOpen = true;
    void this.#pullAfresh();
  }

  linkLost(): void {
    this.#linkEpoch += 1;
    this.#linkOpen = false;
    this.#caughtUp = false;
    this.#letGo();
  }

  receive(event: ChangeEvent): void {
    if (event.seq <= this.#cursor && this.#caughtUp) return;
    if (this.#follows(event)) this.#apply([event]);
    else if (this.#held.length < HELD_EVENTS_MAX) this.#held.push(event);
    else this.#heldOverflowed = true;
    if (this.#held.length > 0 && this.#caughtUp && this.#pulling === null) this.#closeGap();
  }

  /** Start again from nothing; does not pull. */
  forget(news: Partial<SyncStatus> = {}): void {
    this.#generation += 1;
    this.#caughtUp = false;
    this.status.update({ ...news, loaded: false });
    this.#store.clearServerRows();
    this.#hooks.forgotten();
    this.#moveTo(0);
  }

  /** Retry nothing any more; a later `pull` goes on. */
  stop(): void {
    this.linkLost();
    this.#retry.cancel();
    this.#cancelGapPull?.();
    this.#cancelGapPull = null;
  }

  /** Whether nothing can be missing before the event. */
  #follows(event: ChangeEvent): boolean {
    return this.#caughtUp && this.#pulling === null && this.#held.length === 0 && event.seq === this.#cursor + 1;
  }

  #closeGap(): void {
    if (this.#cancelGapPull !== null) return;
    const delayMs = Math.max(0, this.#gapPullDueAt - this.#clock.now());
    const pull = (): void => {
      this.#cancelGapPull = null;
      this.#gapPullDueAt = this.#clock.now() + GAP_PULL_INTERVAL_MS;
      void this.pull();
    };
    if (delayMs === 0) pull();
    else this.#cancelGapPull = this.#clock.after(delayMs, pull);
  }

  /** A pull that began after this call. */
  async #pullAfresh(): Promise<void> {
    const running = this.#pulling;
    if (running !== null) await running;
    await this.pull();
  }

  async #pull(): Promise<void> {
    this.#retry.cancel();
    const linkEpoch = this.#linkEpoch;
    let covered = 0;
    let outcome: Partial<SyncStatus> = { loaded: true, error: null };
    try {
      await this.#hooks.beforePull();
      const accepted = this.#store.acknowledged();
      covered = this.#held.at(-1)?.seq ?? 0;
      await this.#pullPages();
      this.#retry.succeeded();
      this.#store.discard(accepted);
      this.#caughtUp = this.#linkOpen && linkEpoch === this.#linkEpoch;
    } catch (error) {
      covered = 0;
      outcome = { error: error instanceof Error ? error : new Error(String(error)) };
      this.#failed(error);
    } finally {
      // Cleared here and not in a `then`, so that whoever runs next sees that the pull has ended.
      this.#pulling = null;
    }
    this.#release(covered);
    this.status.update({ pulling: this.#pulling !== null, ...outcome });
  }

  async #pullPages(): Promise<void> {
    for (;;) {
      const generation = this.#generation;
      const page = await this.#page();
      if (page === null || generation !== this.#generation) continue;
      const advanced = page.cursor.last_seq > this.#cursor;
      this.#applyPage(page);
      if (!page.has_more) return;
      if (!advanced) throw new ProtocolError("a page promised more and did not advance the cursor");
    }
  }

  /** The next page; null when the server has forgotten the cursor and the first page is to be asked for. */
  async #page(): Promise<PullResponse | null> {
    try {
      const body = await this.#hooks.get(`/api/sync/pull?since=${this.#cursor}`);
      this.#resyncs = 0;
      return parsePullResponse(body);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 410) throw error;
      this.#resyncs += 1;
      this.forget();
      if (this.#resyncs > 1) throw error;
      return null;
    }
  }

  #applyPage(page: PullResponse): void {
    this.#store.applyChanges(page.changes);
    this.#pulled += page.changes.length;
    const last = page.changes.at(-1)?.seq ?? 0;
    this.#moveTo(Math.max(this.#cursor, page.cursor.last_seq, last));
  }

  #apply(events: readonly ChangeEvent[]): void {
    const fresh: ChangeEvent[] = [];
    let seq = this.#cursor;
    for (const event of events) {
      if (event.seq <= seq) continue;
      fresh.push(event);
      seq = event.seq;
    }
    if (fresh.length === 0) return;
    this.#store.applyChanges(fresh);
    this.#moveTo(seq);
  }

  #moveTo(seq: number): void {
    this.#cursor = seq;
    this.#store.reached(seq);
    this.#hooks.cursorMoved(seq);
  }

  #failed(error: unknown): void {
    if (!(error instanceof HttpError)) {
      this.#retryWhileOpen(0);
    } else if (error.status === 410) {
      const doublings = Math.min(this.#resyncs - 1, RESYNC_DELAY_DOUBLINGS_MAX);
      this.#retry.after(Math.min(BACKOFF_CAP_MS, 1000 * 2 ** doublings));
    } else {
      if (error.status === 429) this.#hooks.rateLimited();
      this.#retryWhileOpen(error.retryAfterMs);
    }
  }

  /** While the connection is down, each attempt to open it pulls anyway. */
  #retryWhileOpen(waitAtLeastMs: number): void {
    if (this.#linkOpen) this.#retry.failed(waitAtLeastMs);
  }

  /** Apply what was held, up to the first gap behind what a whole pull has `covered`. */
  #release(covered: number): void {
    if (!this.#caughtUp) return;
    const overflowed = this.#heldOverflowed;
    const held = this.#held.filter(({ seq }) => seq > this.#cursor);
    this.#letGo();
    if (overflowed) {
      void this.pull();
      return;
    }
    let end = this.#cursor;
    const ready = held.findIndex(({ seq }) => {
      const follows = seq <= covered || seq === end + 1;
      if (follows) end = seq;
      return !follows;
    });
    this.#apply(ready < 0 ? held : held.slice(0, ready));
    if (ready < 0) return;
    this.#held = held.slice(ready);
    this.#closeGap();
  }

  #letGo(): void {
    this.#held = [];
    this.#heldOverflowed = false;
  }
}
