/**
 * What became of row ids that the server did not keep: a row made here under one id and stored under another.
 *
 * Queued changes, the rows on the screen and callers who still hold the first id are led to the second. Bounded:
 * beyond `ALIASES_MAX` the oldest is forgotten.
 */

import { isTemporaryId } from "./ids.ts";
import { type ClientChange, isRow } from "./protocol.ts";

export const ALIASES_MAX = 10_000;

export interface Alias {
  entity: string;
  /** The id the row was made under. */
  temporary: string;
  /** The id the server gave it. */
  row_id: string;
}

export class Aliases {
  readonly #rowIds = new Map<string, string>();
  /** Ids that are nobody else's, so that they can be told anywhere in a row's data. */
  readonly #references = new Map<string, string>();

  add(aliases: readonly Alias[]): void {
    for (const { entity, temporary, row_id } of aliases) {
      remember(this.#rowIds, key(entity, temporary), row_id);
      if (isTemporaryId(temporary)) remember(this.#references, temporary, row_id);
    }
  }

  /** The id the row has now. */
  resolve(entity: string, id: string): string {
    return this.#rowIds.get(key(entity, id)) ?? id;
  }

  /** The change with the present ids in place of former ones; the same object when there are none in it. */
  rewrite(change: ClientChange): ClientChange {
    if (this.#rowIds.size === 0) return change;
    const rowId = this.resolve(change.entity, change.row_id);
    const data = this.#rewritten(change.data);
    if (rowId === change.row_id && data === change.data) return change;
    return { ...change, row_id: rowId, data };
  }

  #rewritten<T>(value: T): T;
  #rewritten(value: unknown): unknown {
    if (typeof value === "string") return this.#references.get(value) ?? value;
    if (Array.isArray(value)) {
      const items = value.map((item: unknown) => this.#rewritten(item));
      return items.some((item, i) => item !== value[i]) ? items : value;
    }
    if (!isRow(value)) return value;
    const entries = Object.entries(value).map(([name, item]): [string, unknown] => [name, this.#rewritten(item)]);
    return entries.some(([name, item]) => item !== value[name]) ? Object.fromEntries(entries) : value;
  }
}

/** Whether the change is on, or names in its data, one of the rows. */
export function refersTo(change: ClientChange, rowIds: ReadonlySet<string>): boolean {
  return rowIds.size > 0 && (rowIds.has(change.row_id) || names(change.data, rowIds));
}

function names(value: unknown, ids: ReadonlySet<string>): boolean {
  if (typeof value === "string") return ids.has(value);
  if (Array.isArray(value)) return value.some((item) => names(item, ids));
  return isRow(value) && Object.values(value).some((item) => names(item, ids));
}

function remember(map: Map<string, string>, from: string, to: string): void {
  map.delete(from);
  map.set(from, to);
  if (map.size <= ALIASES_MAX) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

function key(entity: string, id: string): string {
  return `${entity}:${id}`;
}
