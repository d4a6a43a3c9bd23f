/**
 * Optimistic changes, kept apart from the server's rows so that each can be taken back.
 *
 *     pending ──accepted──▶ acknowledged ──the server's rows show it──▶ gone
 *        └──────refused──▶ gone (rolled back)
 *
 * An acknowledged change stays until the replica has it too; without that the row would flash back to its old
 * state between the server's answer and the server's event.
 */

import type { ClientChange, Row } from "./protocol.ts";

interface OptimisticChange {
  readonly opId: string;
  readonly change: ClientChange;
  /** The seq the replica must have reached to have seen this change; null while the server has not answered. */
  acknowledgedAt: number | null;
}

/** The row as `change` would leave it; `null` is "no such row". */
function applied(change: ClientChange, row: Row | null): Row | null {
  switch (change.kind) {
    case "insert":
      return row ?? { ...change.data, id: change.row_id };
    case "update":
      return row === null ? null : { ...row, ...change.data, id: change.row_id };
    case "delete":
      return null;
    default:
      return change.kind satisfies never;
  }
}

function sameValue(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Whether the server's row already is as `change` wants it. */
function agrees(change: ClientChange, row: Row | null): boolean {
  switch (change.kind) {
    case "insert":
      return row !== null;
    case "update":
      return row !== null && Object.entries(change.data ?? {}).every(([name, value]) => sameValue(row[name], value));
    case "delete":
      return row === null;
    default:
      return change.kind satisfies never;
  }
}

export class Overlay {
  /** Entity, then row id, then that row's changes in the order they were made. */
  readonly #changes = new Map<string, Map<string, OptimisticChange[]>>();

  add(opId: string, change: ClientChange): void {
    this.#append({ opId, change, acknowledgedAt: null });
  }

  /** Row ids of an entity that have optimistic changes, in the order of their first one. */
  rowIds(entity: string): Iterable<string> {
    return this.#changes.get(entity)?.keys() ?? [];
  }

  /** What the user sees where the server holds `row`. */
  view(entity: string, rowId: string, row: Row | null): Row | null {
    const changes = this.#changes.get(entity)?.get(rowId);
    return changes === undefined ? row : changes.reduce((seen, { change }) => applied(change, seen), row);
  }

  /** The server accepted the operation and had reached `seq` when it answered. */
  acknowledge(opId: string, seq: number): void {
    for (const entry of this.#entries()) {
      if (entry.opId === opId) entry.acknowledgedAt = seq;
    }
  }

  /** Operations the server accepted whose effect the replica has not shown to have. */
  acknowledged(): string[] {
    return [...this.#entries()].filter((entry) => entry.acknowledgedAt !== null).map((entry) => entry.opId);
  }

  /** Take changes away, whatever their state. Returns the entities they were on. */
  discard(opIds: ReadonlySet<string>): Set<string> {
    return this.#remove((entry) => opIds.has(entry.opId));
  }

  /** The replica has everything up to `seq`: drop what it must show by now. */
  reached(seq: number): Set<string> {
    return this.#remove(({ acknowledgedAt }) => acknowledgedAt !== null && acknowledgedAt <= seq);
  }

  /** The server's row is `row`: drop acknowledged changes it shows, and the acknowledged ones before them. */
  settle(entity: string, rowId: string, row: Row | null): void {
    const changes = this.#changes.get(entity)?.get(rowId) ?? [];
    const shown = changes.findLastIndex(
      ({ acknowledgedAt, change }) => acknowledgedAt !== null && agrees(change, row),
    );
    if (shown < 0) return;
    const gone = changes.slice(0, shown + 1).filter((entry) => entry.acknowledgedAt !== null);
    this.discard(new Set(gone.map((entry) => entry.opId)));
  }

  /** Put what `rewrite` makes of each change in its place; rows may change their ids by it. */
  rewrite(rewrite: (change: ClientChange) => ClientChange): Set<string> {
    const touched = new Set<string>();
    const entries = [...this.#entries()];
    this.#changes.clear();
    for (const entry of entries) {
      const change = rewrite(entry.change);
      if (change !== entry.change) touched.add(change.entity);
      this.#append({ ...entry, change });
    }
    return touched;
  }

  clear(): void {
    this.#changes.clear();
  }

  #append(entry: OptimisticChange): void {
    const { entity, row_id: rowId } = entry.change;
    let rows = this.#changes.get(entity);
    if (rows === undefined) this.#changes.set(entity, (rows = new Map()));
    const list = rows.get(rowId);
    if (list === undefined) rows.set(rowId, [entry]);
    else list.push(entry);
  }

  *#entries(): Generator<OptimisticChange> {
    for (const rows of this.#changes.values()) for (const list of rows.values()) yield* list;
  }

  #remove(matches: (entry: OptimisticChange) => boolean): Set<string> {
    const touched = new Set<string>();
    for (const [entity, rows] of this.#changes) {
      for (const [rowId, list] of rows) {
        const kept = list.filter((entry) => !matches(entry));
        if (kept.length === list.length) continue;
        touched.add(entity);
        if (kept.length > 0) rows.set(rowId, kept);
        else rows.delete(rowId);
      }
    }
    return touched;
  }
}
