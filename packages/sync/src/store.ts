/**
 * The replica: the rows this client may read, as far as it has heard.
 *
 * Holds the server's rows as the change log made them (contract 05 §11) and, apart from them, the optimistic
 * changes; readers see the one laid over the other. Knows no network and no queue.
 *
 * Tombstones are bounded: beyond `TOMBSTONES_MAX` the oldest is forgotten. They only matter for events that
 * arrive out of order, and the engine applies events in order.
 */

import { type Alias, Aliases } from "./aliases.ts";
import { systemIds } from "./environment.ts";
import type { Ids } from "./ids.ts";
import { Listeners, ListenersByKey } from "./listeners.ts";
import { Overlay } from "./overlay.ts";
import type { ChangeEvent, ClientChange, Row } from "./protocol.ts";

export const TOMBSTONES_MAX = 10_000;

/** Writes one event to disk; for insert and update, `data` is the whole row as it now is. */
export type PersistChange = (change: ChangeEvent) => Promise<void>;

export interface DeletedRow {
  entity: string;
  rowId: string;
}

export class LocalStore {
  /** Set by whoever keeps the replica on disk; called for every applied event. */
  _persistFn: PersistChange | null = null;

  readonly #ids: Ids;
  readonly #rows = new Map<string, Map<string, Row>>();
  readonly #tombstones = new Map<string, number>();
  readonly #overlay = new Overlay();
  readonly #aliases: Aliases;
  readonly #listeners = new Listeners();
  readonly #entityListeners = new ListenersByKey();
  readonly #deleteListeners = new Listeners<[readonly DeletedRow[]]>();

  constructor(ids: Ids = systemIds(), aliases: Aliases = new Aliases()) {
    this.#ids = ids;
    this.#aliases = aliases;
  }

  /** All rows of an entity, the server's in the order they first arrived, optimistic ones last. `T` is the app's word. */
  list<T = Row>(entity: string): T[];
  list(entity: string): Row[] {
    const rows = this.#rows.get(entity) ?? new Map<string, Row>();
    const added = [...this.#overlay.rowIds(entity)].filter((id) => !rows.has(id));
    return [...rows.keys(), ...added].map((id) => this.#shown(entity, id)).filter((row) => row !== null);
  }

  /** The row, also under the temporary id it was made with. */
  get<T = Row>(entity: string, id: string): T | null;
  get(entity: string, id: string): Row | null {
    return this.#shown(entity, this.#aliases.resolve(entity, id));
  }

  /** Apply one event; tells no listener. */
  applyChange(change: ChangeEvent): void {
    this.#merge(change);
    this.#persistBehind([change]);
  }

  /** Apply events in order and tell listeners once; writes to disk go on behind. */
  applyChanges(changes: readonly ChangeEvent[]): void {
    this.#applyAndTell(changes);
    this.#persistBehind(changes);
  }

  /** Apply events in order and tell listeners once, before the first wait; resolves once all are on disk. */
  applyChangesAsync(changes: readonly ChangeEvent[]): Promise<void> {
    this.#applyAndTell(changes);
    return this.#persist(changes);
  }

  /** Call `listener` on every change of anything; returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Call `listener` on every change of one entity's rows; returns the way to stop. */
  subscribeEntity(entity: string, listener: () => void): () => void {
    return this.#entityListeners.add(entity, listener);
  }

  /** Call `listener` with rows that the server says are gone, deleted or hidden; returns the way to stop. */
  onDelete(listener: (rows: readonly DeletedRow[]) => void): () => void {
    return this.#deleteListeners.add(listener);
  }

  /** Call all listeners. */
  notify(): void {
    this.#entityListeners.callAll();
    this.#listeners.call();
  }

  /** Show a change at once; `opId` names it when it is accepted, refused or taken back. */
  applyOptimistic(opId: string, change: ClientChange): void {
    this.#overlay.add(opId, this.#aliases.rewrite(change));
    this.#tell([change.entity]);
  }

  /** The server stored rows under other ids than they were made with: what is shown of them goes over. */
  renamed(aliases: readonly Alias[]): void {
    if (aliases.length === 0) return;
    this.#aliases.add(aliases);
    this.#tell(this.#overlay.rewrite((change) => this.#aliases.rewrite(change)));
  }

  /** The rows as the server made them, without what is only optimistic. */
  serverRows(): ChangeEvent[] {
    return [...this.#rows].flatMap(([entity, rows]) =>
      [...rows].map(([row_id, data]): ChangeEvent => ({ seq: 0, entity, row_id, kind: "insert", data, timestamp: "" })),
    );
  }

  /** The server accepted the operation and had reached `seq` when it answered. */
  acknowledge(opId: string, change: ClientChange, seq: number): void {
    this.#overlay.acknowledge(opId, seq);
    const id = this.#aliases.resolve(change.entity, change.row_id);
    this.#overlay.settle(change.entity, id, this.#serverRow(change.entity, id));
  }

  /** Operations that were accepted and are still shown optimistically. */
  acknowledged(): string[] {
    return this.#overlay.acknowledged();
  }

  /** Take optimistic changes back; the server's rows show through again. */
  discard(opIds: readonly string[]): void {
    this.#tell(this.#overlay.discard(new Set(opIds)));
  }

  /** The replica has all changes up to `seq`; optimistic ones acknowledged by then have served their turn. */
  reached(seq: number): void {
    this.#tell(this.#overlay.reached(seq));
  }

  /** Show a new row that no queue will send; it lasts until the next complete pull. Returns its temporary id. */
  optimisticInsert(entity: string, data: Row): string {
    const id = this.#ids.row();
    this.#showUnsent({ entity, row_id: id, kind: "insert", data });
    return id;
  }

  optimisticUpdate(entity: string, id: string, patch: Row): void {
    this.#showUnsent({ entity, row_id: id, kind: "update", data: patch });
  }

  optimisticDelete(entity: string, id: string): void {
    this.#showUnsent({ entity, row_id: id, kind: "delete" });
  }

  /** Forget everything, optimistic changes included. */
  clearAll(): void {
    this.#overlay.clear();
    this.clearServerRows();
  }

  /** Forget what the server said; changes it has not heard of yet stay. */
  clearServerRows(): void {
    this.#rows.clear();
    this.#tombstones.clear();
    this.notify();
  }

  #shown(entity: string, id: string): Row | null {
    return this.#overlay.view(entity, id, this.#serverRow(entity, id));
  }

  #serverRow(entity: string, id: string): Row | null {
    return this.#rows.get(entity)?.get(id) ?? null;
  }

  #showUnsent(change: ClientChange): void {
    const opId = this.#ids.operation();
    this.#overlay.add(opId, change);
    this.#overlay.acknowledge(opId, Number.MAX_SAFE_INTEGER);
    this.#tell([change.entity]);
  }

  #applyAndTell(changes: readonly ChangeEvent[]): void {
    for (const change of changes) this.#merge(change);
    this.#tell(changes.map((change) => change.entity));
    const deleted = changes.filter(({ kind }) => kind === "delete");
    if (deleted.length > 0) this.#deleteListeners.call(deleted.map(({ entity, row_id: rowId }) => ({ entity, rowId })));
  }

  #merge(change: ChangeEvent): void {
    const { entity, row_id: id, kind } = change;
    const tombstone = this.#tombstones.get(tombstoneKey(change)) ?? -1;
    if (kind !== "delete" && change.seq < tombstone) return;
    let rows = this.#rows.get(entity);
    if (rows === undefined) this.#rows.set(entity, (rows = new Map()));
    switch (kind) {
      case "insert":
        rows.set(id, { ...change.data, id });
        break;
      case "update":
        rows.set(id, { ...rows.get(id), ...change.data, id });
        break;
      case "delete":
        rows.delete(id);
        this.#bury(change, Math.max(tombstone, change.seq));
        break;
      default:
        kind satisfies never;
    }
    this.#overlay.settle(entity, id, rows.get(id) ?? null);
  }

  #bury(change: ChangeEvent, seq: number): void {
    const key = tombstoneKey(change);
    this.#tombstones.delete(key);
    this.#tombstones.set(key, seq);
    if (this.#tombstones.size <= TOMBSTONES_MAX) return;
    const [oldest] = this.#tombstones.keys();
    if (oldest !== undefined) this.#tombstones.delete(oldest);
  }

  #persistBehind(changes: readonly ChangeEvent[]): void {
    this.#persist(changes).catch((error: unknown) => console.warn("pylon: a change was not saved", error));
  }

  async #persist(changes: readonly ChangeEvent[]): Promise<void> {
    const persist = this._persistFn;
    if (persist === null) return;
    await Promise.all(changes.map((change) => persist(this.#whole(change))));
  }

  /** The event with the merged row in place of its patch, so that disk never holds half a row. */
  #whole(change: ChangeEvent): ChangeEvent {
    const row = this.#serverRow(change.entity, change.row_id);
    if (row === null) return { ...change, kind: "delete", data: undefined };
    return { ...change, kind: change.kind === "delete" ? "insert" : change.kind, data: row };
  }

  #tell(entities: Iterable<string>): void {
    const touched = new Set(entities);
    if (touched.size === 0) return;
    for (const entity of touched) this.#entityListeners.call(entity);
    this.#listeners.call();
  }
}

function tombstoneKey(change: ChangeEvent): string {
  return `${change.entity}:${change.row_id}`;
}
