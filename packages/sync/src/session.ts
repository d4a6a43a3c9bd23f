/**
 * As whom the client speaks: the token in use, and whom the server takes it for.
 *
 * The token is looked up afresh each time, because the app may change it under us; `adopt` notices. A replica
 * belongs to one identity in one tenant, so a change of either asks the owner to start again.
 */

import { sameOwner } from "./identity.ts";
import { parseSession, type ResolvedSession, sessionOf } from "./protocol.ts";

export interface SessionHooks {
  token(): string | null;
  probe(): Promise<unknown>;
  /** The token or the identity is another: what was replicated may not be this one's. Before `identified`. */
  viewChanged(): void;
  /** The server said whom the token stands for. */
  identified(): void;
  changed(): void;
}

export class Session {
  readonly #hooks: SessionHooks;
  #current = sessionOf(null, null, false, []);
  /** Undefined before the first look. */
  #token: string | null | undefined;
  /** Whether `#current` is the server's word on `#token`. */
  #known = false;
  /** Whether the replica is `#current`'s; not after a change of token, which has emptied it. */
  #viewed = false;

  constructor(hooks: SessionHooks) {
    this.#hooks = hooks;
  }

  get current(): ResolvedSession {
    return this.#current;
  }

  /** Whether the server has said whom the present token stands for. */
  get known(): boolean {
    return this.#known;
  }

  /** Whether it was ever known, or assumed, whom the present token stands for. */
  get seen(): boolean {
    return this.#viewed;
  }

  /** Whether the token in use now is the one that was last looked at. */
  hasPresentToken(): boolean {
    return this.#hooks.token() === this.#token;
  }

  /** Go by what was known of the present token when it was last used, until the server says otherwise. */
  assume(session: ResolvedSession): void {
    this.#token = this.#hooks.token();
    this.#current = session;
    this.#viewed = true;
  }

  /** Notice a changed token and, unless its identity is known, ask. Never rejects. */
  async identify(): Promise<void> {
    this.#adopt();
    if (!this.#known) await this.refresh();
  }

  /** Ask the server again. Never rejects: without an answer nothing changes. */
  async refresh(): Promise<void> {
    this.#adopt();
    const token = this.#token;
    let answer: ResolvedSession;
    try {
      answer = parseSession(await this.#hooks.probe());
    } catch {
      return;
    }
    if (token === this.#token) this.#observe(answer);
  }

  #adopt(): void {
    const token = this.#hooks.token();
    if (token === this.#token) return;
    const first = this.#token === undefined;
    this.#token = token;
    this.#known = false;
    this.#viewed = false;
    if (!first) this.#hooks.viewChanged();
  }

  #observe(next: ResolvedSession): void {
    const before = this.#current;
    this.#current = next;
    this.#known = true;
    if (this.#viewed && !sameOwner(before, next)) this.#hooks.viewChanged();
    this.#viewed = true;
    this.#hooks.identified();
    if (JSON.stringify(before) !== JSON.stringify(next)) this.#hooks.changed();
  }
}
