/** A persistence that only one engine uses at a time, as one that can be shared: its owner is noted beside it. */

import { parseOwner, type ReplicaOwner } from "./identity.ts";
import type { ChangeBatch, ReplicaPersistence, SharedReplicaPersistence } from "./persistence.ts";
import type { Storage } from "./storage.ts";

export class SoleReplicaPersistence implements SharedReplicaPersistence {
  readonly #persistence: ReplicaPersistence;
  readonly #storage: Storage;
  readonly #key: string;

  constructor(persistence: ReplicaPersistence, storage: Storage, appName: string) {
    this.#persistence = persistence;
    this.#storage = storage;
    this.#key = replicaOwnerKey(appName);
  }

  async loadOwner(): Promise<ReplicaOwner | null> {
    const text = this.#storage.get(this.#key);
    try {
      return text === null ? null : parseOwner(JSON.parse(text));
    } catch {
      return null;
    }
  }

  async renewOwner(owner: ReplicaOwner): Promise<void> {
    this.#storage.set(this.#key, JSON.stringify(owner));
  }

  async assign(owner: ReplicaOwner): Promise<void> {
    // Nobody's until it is empty: a crash in between leaves nothing that could be shown to the wrong one.
    this.#storage.remove(this.#key);
    await this.reset();
    await this.renewOwner(owner);
  }

  async reset(): Promise<void> {
    // The cursor first: it must never stand for rows that are gone.
    await this.#persistence.saveCursor({ last_seq: 0 });
    await this.#persistence.clear();
  }

  async saveBatch({ changes, from, to }: ChangeBatch): Promise<void> {
    for (const change of changes) await this.#persistence.saveChange(change);
    if (to !== from) await this.#persistence.saveCursor({ last_seq: to });
  }
}

/** Where the owner of an app's own persistence is noted. */
export function replicaOwnerKey(appName: string): string {
  return appName === "default" ? "pylon_replica_owner" : `pylon:${appName}:replica_owner`;
}
