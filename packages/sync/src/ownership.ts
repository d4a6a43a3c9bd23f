/**
 * As whom the engine works, and what of the replica and the queue is therefore its to show, keep and send.
 *
 * Brings together the session (who the server says we are), the replica on disk (whose it is) and the queue (whose
 * writes wait). What is saved is shown at once when the token vouches for it, and else when the server has spoken.
 */

import { sessionOwner, tokenOwner } from "./identity.ts";
import type { ResolvedSession } from "./protocol.ts";
import type { Replica } from "./replica.ts";
import { Session } from "./session.ts";
import type { IdentityStatus } from "./status.ts";
import type { SharedQueue } from "./shared-queue.ts";

export interface OwnershipHooks {
  token(): string | null;
  /** Ask the server who we are. */
  probe(): Promise<unknown>;
  /** What was replicated may not be ours. */
  forget(): void;
  /** The connection speaks for somebody else. */
  reconnect(): void;
  /** It is known, or assumed, who we are. */
  identified(): void;
  /** What is known of us changed. */
  changed(): void;
}

export class Ownership {
  readonly #session: Session;
  readonly #replica: Replica | null;
  readonly #queue: SharedQueue;
  readonly #hooks: OwnershipHooks;

  constructor(replica: Replica | null, queue: SharedQueue, hooks: OwnershipHooks) {
    this.#replica = replica;
    this.#queue = queue;
    this.#hooks = hooks;
    this.#session = new Session({
      token: () => hooks.token(),
      probe: () => hooks.probe(),
      viewChanged: () => this.#viewChanged(),
      identified: () => this.#takeOver(this.#session.current),
      changed: () => hooks.changed(),
    });
  }

  get session(): ResolvedSession {
    return this.#session.current;
  }

  get status(): IdentityStatus {
    if (this.#session.known) return "known";
    return this.#session.seen ? "assumed" : "unknown";
  }

  /** The name of who we are; null while the server has not said whom the present token stands for. */
  get owner(): string | null {
    return this.#session.known ? sessionOwner(this.#session.current) : null;
  }

  /** Whether we are anybody. */
  get signedIn(): boolean {
    const { userId, isAdmin } = this.#session.current;
    return userId !== null || isAdmin;
  }

  /** Read what was saved; what is ours is shown as soon as it is known to be. */
  async load(): Promise<void> {
    if (this.#replica === null) return;
    const token = this.#hooks.token();
    const queued = await this.#replica.open();
    this.#queue.show(queued);
    // Somebody may have asked who we are, and been told, while the disk was being opened.
    if (this.#session.seen) this.#takeOver(this.#session.current);
    else if (token !== null) await this.#assume(token);
  }

  /** Notice another token, and find out whom it stands for. Never rejects: without an answer we are who we were. */
  async identify(): Promise<void> {
    await this.#session.identify();
    // Without a token only the server can say who we are; while it cannot be reached, we are who we were.
    if (!this.#session.seen && this.#hooks.token() === null) await this.#assume(null);
    await this.#replica?.whenBound();
  }

  /** As `identify`, but rejects when the server has not said who we are. */
  async requireIdentity(): Promise<void> {
    await this.identify();
    if (!this.#session.known) throw new Error("it is not known as whom to push");
  }

  /** Throws when the token has changed since it was last looked at: a request made now would be somebody else's. */
  requireSameToken(): void {
    if (!this.#session.hasPresentToken()) throw new Error("the token changed");
  }

  /** Ask the server again who we are. Never rejects. */
  refresh(): Promise<void> {
    return this.#session.refresh();
  }

  /** Take us for whom the saved replica belongs to, if `token` says no other. */
  async #assume(token: string | null): Promise<void> {
    const saved = this.#replica?.savedSession(token) ?? null;
    if (saved === null) return;
    this.#session.assume(saved);
    this.#takeOver(saved);
    await this.#replica?.whenBound();
  }

  #takeOver(session: ResolvedSession): void {
    this.#queue.becomeOwner(sessionOwner(session));
    void this.#replica?.bind(session, this.#hooks.token());
    this.#hooks.identified();
  }

  #viewChanged(): void {
    this.#hooks.forget();
    this.#replica?.unbind();
    this.#queue.becomeOwner(tokenOwner(this.#hooks.token()));
    this.#hooks.reconnect();
  }
}
