/**
 * Which rows' documents this client follows, and who hears the frames that come of it. The server is told on the first
 * follower and after the last.
 */

import { Listeners } from "./listeners.ts";

export interface CrdtRow {
  entity: string;
  rowId: string;
}

export class CrdtSubscriptions {
  readonly #send: (text: string) => void;
  readonly #handlers = new Listeners<[Uint8Array]>();
  readonly #followers = new Map<string, { row: CrdtRow; count: number }>();

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  subscribe(row: CrdtRow): void {
    const entry = this.#followers.get(key(row)) ?? { row, count: 0 };
    entry.count += 1;
    this.#followers.set(key(row), entry);
    if (entry.count === 1) this.#tell("crdt-subscribe", row);
  }

  /** Does nothing for a row nobody follows. */
  unsubscribe(row: CrdtRow): void {
    const entry = this.#followers.get(key(row));
    if (entry === undefined) return;
    entry.count -= 1;
    if (entry.count > 0) return;
    this.#followers.delete(key(row));
    this.#tell("crdt-unsubscribe", row);
  }

  /** Call `handler` with every frame; returns the way to stop. */
  onFrame(handler: (bytes: Uint8Array) => void): () => void {
    return this.#handlers.add(handler);
  }

  received(bytes: Uint8Array): void {
    this.#handlers.call(bytes);
  }

  /** Subscriptions end with their connection: say them all again on a new one. */
  resend(): void {
    for (const { row } of this.#followers.values()) this.#tell("crdt-subscribe", row);
  }

  #tell(type: "crdt-subscribe" | "crdt-unsubscribe", { entity, rowId }: CrdtRow): void {
    this.#send(JSON.stringify({ type, entity, rowId }));
  }
}

function key({ entity, rowId }: CrdtRow): string {
  return `${entity}:${rowId}`;
}
