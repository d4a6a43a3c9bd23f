/**
 * The engine's state on disk: finds out whether what was saved is ours, shows it, and keeps it up.
 *
 *     closed ──open──▶ unbound ──bind──▶ bound          (unbind when the identity changes)
 *        └────fails────▶ in memory ◀──a write fails──┘
 *
 * Rows are shown only to whom they were filled for: at once when the token is the one they were filled with, and
 * otherwise when the server has said who we are. One warning is given, whatever breaks.
 *
 * When another engine of ours empties the disk, as after a resync, it is that one's to fill again. We look now and
 * then how far it has come, and join in when it has caught up with us, or fill it ourselves when nobody does.
 */

import type { Cancel, Clock } from "./clock.ts";
import { fingerprint, type ReplicaOwner, sameOwner } from "./identity.ts";
import type { MutationQueue, PendingMutation } from "./mutations.ts";
import { type ReplicaPersistence, ReplicaWriter, type SharedReplicaPersistence } from "./persistence.ts";
import type { ChangeEvent, ResolvedSession, Row } from "./protocol.ts";
import type { LocalStore } from "./store.ts";

/** How often we look how far another engine has come with the disk. */
export const FOLLOW_EVERY_MS = 5_000;

export interface ReplicaHooks {
  /** How far the replica in memory has come. */
  cursor(): number;
  /** The saved rows are in the store; go on from there. */
  resumeAt(seq: number): void;
  /** The queue on disk changed by our hand. */
  queueSaved(): void;
}

export class Replica {
  readonly #persistence: ReplicaPersistence;
  readonly #shared: SharedReplicaPersistence;
  readonly #store: LocalStore;
  readonly #queue: MutationQueue;
  readonly #hooks: ReplicaHooks;
  readonly #clock: Clock;
  readonly #writer: ReplicaWriter;
  #cancelFollowing: Cancel | null = null;
  #saved: ReplicaOwner | null = null;
  #bound: ReplicaOwner | null = null;
  #binding: Promise<void> = Promise.resolve();
  #open = false;
  #warned = false;

  constructor(
    persistence: ReplicaPersistence,
    shared: SharedReplicaPersistence,
    store: LocalStore,
    queue: MutationQueue,
    hooks: ReplicaHooks,
    clock: Clock,
  ) {
    this.#persistence = persistence;
    this.#shared = shared;
    this.#store = store;
    this.#queue = queue;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#writer = new ReplicaWriter(
      shared,
      (error) => this.#warn(error),
      () => this.#followSoon(),
    );
  }

  /** Whose the saved replica is and which writes wait. Resolves to those of the queue's present owner. */
  async open(): Promise<PendingMutation[]> {
    try {
      await this.#persistence.open?.();
      this.#saved = await this.#shared.loadOwner();
    } catch (error) {
      this.#warn(error);
      return [];
    }
    this.#open = true;
    this.#store._persistFn = (change) => this.#writer.saveChange(change);
    this.#queue.attachPersistence(
      this.#persistence.mutations,
      () => this.#hooks.queueSaved(),
      (error) => this.#warn(error),
    );
    return this.#queue.hydrate();
  }

  /** As whom the replica was filled, when `token` is all that we know of us. */
  savedSession(token: string | null): ResolvedSession | null {
    const saved = this.#saved;
    return saved !== null && saved.token === fingerprint(token) ? saved.session : null;
  }

  /** The replica is to be `session`'s: show what was saved for it, or make what is in memory its own. */
  bind(session: ResolvedSession, token: string | null): Promise<void> {
    const owner = { session, token: fingerprint(token) };
    if (!this.#open || (this.#bound !== null && sameBinding(this.#bound, owner))) return this.#binding;
    this.#bound = owner;
    return (this.#binding = this.#bind(owner));
  }

  /** Resolves when it is settled whether saved rows are shown. */
  whenBound(): Promise<void> {
    return this.#binding;
  }

  /** Another identity is taking over: nothing is written until `bind`. */
  unbind(): void {
    this.stop();
    this.#bound = null;
    this.#writer.detach();
  }

  /** Look at the disk again if others had it. */
  start(): void {
    if (this.#open && !this.#writer.attached) this.#followSoon();
  }

  stop(): void {
    this.#cancelFollowing?.();
    this.#cancelFollowing = null;
  }

  /** The replica in memory was emptied; what is on disk goes with it. */
  forgotten(): void {
    void this.#writer.clear();
  }

  cursorMoved(seq: number): void {
    void this.#writer.saveCursor(seq);
  }

  async #bind(owner: ReplicaOwner): Promise<void> {
    const saved = await this.#writer.step(() => this.#read(owner));
    if (this.#bound !== owner) return;
    if (saved === null || this.#hooks.cursor() > 0 && saved.cursor === 0) {
      void this.#writer.replace(owner, this.#store.serverRows(), this.#hooks.cursor());
      return;
    }
    this.#store.applyChanges(saved.rows);
    this.#writer.attach(saved.cursor);
    if (saved.cursor > 0) this.#hooks.resumeAt(saved.cursor);
  }

  #followSoon(seen: number | null = null): void {
    const owner = this.#bound;
    if (owner === null) return;
    this.stop();
    this.#cancelFollowing = this.#clock.after(FOLLOW_EVERY_MS, () => void this.#follow(owner, seen));
  }

  /** See whose the disk is and how far it has come; at the last look it was at `seen`. */
  async #follow(owner: ReplicaOwner, seen: number | null): Promise<void> {
    const disk = await this.#writer.step(async () => ({
      owner: await this.#shared.loadOwner(),
      seq: (await this.#persistence.loadCursor())?.last_seq ?? 0,
    }));
    if (disk === null || this.#bound !== owner || this.#writer.attached) return;
    // Another identity has it now; we go on in memory.
    if (disk.owner !== null && !sameOwner(disk.owner.session, owner.session)) return;
    const here = this.#hooks.cursor();
    const abandoned = disk.owner === null || disk.seq === seen;
    if (disk.owner !== null && disk.seq >= here) this.#writer.attach(here);
    else if (abandoned) void this.#writer.replace(owner, this.#store.serverRows(), here);
    else this.#followSoon(disk.seq);
  }

  /** What is saved for `owner`; null when that is nothing of use. */
  async #read(owner: ReplicaOwner): Promise<{ rows: ChangeEvent[]; cursor: number } | null> {
    const saved = await this.#shared.loadOwner();
    if (saved === null || !sameOwner(saved.session, owner.session)) return null;
    const cursor = (await this.#persistence.loadCursor())?.last_seq ?? 0;
    const rows = savedRows(await this.#persistence.loadAllEntities());
    // Rows without a cursor are of no use: from 0, nobody says which of them have gone meanwhile.
    if (cursor === 0 && rows.length > 0) return null;
    await this.#shared.renewOwner(owner);
    return { rows, cursor };
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    console.warn("pylon: what is saved on this device is no longer kept up; the replica goes on in memory", error);
  }
}

function sameBinding(a: ReplicaOwner, b: ReplicaOwner): boolean {
  return a.token === b.token && sameOwner(a.session, b.session);
}

/** Rows from somewhere else than the change log, as inserts older than any event. */
export function savedRows(entities: Record<string, Row[]>): ChangeEvent[] {
  return Object.entries(entities).flatMap(([entity, rows]) =>
    rows.flatMap((row): ChangeEvent[] => {
      const { id } = row;
      if (typeof id !== "string") return [];
      return [{ seq: 0, entity, row_id: id, kind: "insert", data: row, timestamp: "" }];
    }),
  );
}
