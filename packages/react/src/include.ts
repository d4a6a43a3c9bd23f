/**
 * Related rows of the replica, put into the rows that refer to them. Pure.
 *
 * The replica does not know the relations of the manifest, so a query says how the rows hang together.
 */

import type { LocalStore, Row } from "@pylonsync/sync";

export type Inclusion =
  /** The row whose id is in `field` of ours, or null. */
  | { entity: string; field: string }
  /** The rows whose `foreignField` holds our id, as an array. */
  | { entity: string; foreignField: string };

/** What to include, by the name it gets in each row. */
export type Include = Record<string, Inclusion | Row>;

/** The inclusions that say how; others (a relation's name with `{}`) have no effect. */
export function inclusionsOf(include: Include | undefined): [name: string, inclusion: Inclusion][] {
  return Object.entries(include ?? {}).filter((entry): entry is [string, Inclusion] => isInclusion(entry[1]));
}

/** The rows with what is included; the same array when that is nothing. */
export function withIncluded(
  store: Pick<LocalStore, "get" | "list">,
  rows: Row[],
  inclusions: readonly [name: string, inclusion: Inclusion][],
): Row[] {
  return inclusions.reduce((included, [name, inclusion]) => {
    const related = relatedRows(store, inclusion);
    return included.map((row) => ({ ...row, [name]: related(row) }));
  }, rows);
}

function relatedRows(store: Pick<LocalStore, "get" | "list">, inclusion: Inclusion): (row: Row) => unknown {
  if ("field" in inclusion) {
    const { entity, field } = inclusion;
    return (row) => {
      const id = row[field];
      return typeof id === "string" ? store.get(entity, id) : null;
    };
  }
  const { entity, foreignField } = inclusion;
  const groups = new Map<unknown, Row[]>();
  for (const related of store.list(entity)) {
    const group = groups.get(related[foreignField]);
    if (group === undefined) groups.set(related[foreignField], [related]);
    else group.push(related);
  }
  return (row) => groups.get(row["id"]) ?? [];
}

function isInclusion(value: Inclusion | Row): value is Inclusion {
  const { entity, field, foreignField } = value as Row;
  return typeof entity === "string" && (typeof field === "string" || typeof foreignField === "string");
}
