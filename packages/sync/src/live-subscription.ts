/**
 * One live query as the server knows it, whoever shows it: the state that all its handles share.
 *
 *     asking ──live-rows──▶ answered ──live-rows, live-diff──▶ answered
 *       └──────live-error──▶ refused       (asked again on every new connection)
 */

import { Listeners } from "./listeners.ts";
import type { LiveDiff, LiveRows } from "./live-protocol.ts";
import { patched, reconciled } from "./live-rows.ts";
import type { Row } from "./protocol.ts";

/** Why a live query has no answer, or no newer one. */
export class LiveQueryError extends Error {
  override readonly name = "LiveQueryError";
  /** The server's code; "DISCONNECTED" while there is no connection and was no answer. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface LiveQueryState<T = Row> {
  /** The same list until it changes; a row that did not change stays the same object. */
  readonly rows: readonly T[];
  /** Whether the first answer is still to come. */
  readonly loading: boolean;
  readonly error: LiveQueryError | null;
  /** Whether the rows are all there are; false when the limit cut them off. */
  readonly complete: boolean;
}

const ASKING: LiveQueryState = { rows: [], loading: true, error: null, complete: false };

export class LiveSubscription {
  readonly #listeners = new Listeners();
  #state = ASKING;
  /** The server's number of the query on the present connection; null before its first answer there. */
  #query: number | null = null;
  #seq = 0;

  get state(): LiveQueryState {
    return this.#state;
  }

  get query(): number | null {
    return this.#query;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  answered({ query, seq, rows, complete }: LiveRows): void {
    this.#query = query;
    this.#seq = seq;
    this.#enter({ rows: reconciled(this.#state.rows, rows), loading: false, error: null, complete });
  }

  /** Returns whether the change is one of the rows we have; if not, the query has to be asked anew. */
  changed({ seq, removed, placed, complete }: LiveDiff): boolean {
    // A diff is shared by all who ask the same, so it may have been under way when our own answer was made.
    if (seq < this.#seq) return true;
    const rows = patched(this.#state.rows, { removed, placed });
    if (rows === null) return false;
    this.#seq = seq;
    this.#enter({ rows, loading: false, error: null, complete });
    return true;
  }

  /** The server refused the query, or ended it. */
  refused(code: string, message: string): void {
    this.#query = null;
    this.#fail(new LiveQueryError(code, message));
  }

  /** Until there is another answer, changes are not for us. */
  askedAnew(): void {
    this.#query = null;
  }

  /** The connection ended: numbers of queries mean nothing on the next. What is shown stays. */
  disconnected(): void {
    this.#query = null;
    if (this.#state.loading) this.#fail(new LiveQueryError("DISCONNECTED", "There is no connection to the server."));
  }

  /** Who asks is somebody else: what was answered is not theirs to see. */
  forget(): void {
    this.#query = null;
    this.#enter(ASKING);
  }

  #fail(error: LiveQueryError): void {
    this.#enter({ ...this.#state, loading: false, error });
  }

  #enter(next: LiveQueryState): void {
    const { rows, loading, error, complete } = this.#state;
    const same = next.rows === rows && next.loading === loading && next.error === error && next.complete === complete;
    if (same) return;
    this.#state = next;
    this.#listeners.call();
  }
}
