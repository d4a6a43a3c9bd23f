/** What the app writes: shown at once, queued, and sent when it can be. */

import type { Ids } from "./ids.ts";
import type { MutationQueue } from "./mutations.ts";
import type { ClientChange, Row } from "./protocol.ts";
import type { LocalStore } from "./store.ts";

/** A new row, shown already. */
export interface Created {
  readonly id: string;
  /** Resolves after the attempt to send it, whatever its outcome. */
  readonly sent: Promise<void>;
}

export class Writes {
  readonly #ids: Ids;
  readonly #queue: MutationQueue;
  readonly #store: LocalStore;
  readonly #push: () => Promise<void>;

  constructor(ids: Ids, queue: MutationQueue, store: LocalStore, push: () => Promise<void>) {
    this.#ids = ids;
    this.#queue = queue;
    this.#store = store;
    this.#push = push;
  }

  create(entity: string, data: Row): Created {
    const { id: given, ...fields } = data;
    const id = typeof given === "string" && given !== "" ? given : this.#ids.row();
    return { id, sent: this.write({ entity, row_id: id, kind: "insert", data: fields }) };
  }

  /** Resolves after the attempt to send it, whatever its outcome. */
  async write(change: ClientChange): Promise<void> {
    const opId = this.#queue.add(change);
    this.#store.applyOptimistic(opId, change);
    await this.#push();
  }
}
