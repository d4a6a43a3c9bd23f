/**
 * Filtering, sorting and cutting off rows of the replica. Pure.
 *
 * The operators are those of the server's filters with two differences that apps rely on: `$not` also holds for a row
 * without the field, and what is not an operator here is passed over rather than refused.
 */

import type { Row } from "@pylonsync/sync";

export type Direction = "asc" | "desc";

export interface RowQuery {
  /** Every member must hold. See the README for operators. */
  where?: Row | undefined;
  /**
   * As an array of single orders: the first decides, the next breaks ties. As one object with several members the
   * *last* decides, which is how the object form has always been read.
   */
  orderBy?: Record<string, Direction> | readonly Record<string, Direction>[] | undefined;
  /** After filtering and sorting. */
  limit?: number | undefined;
}

type Operator = (actual: unknown, operand: unknown) => boolean;

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$not", (actual, operand) => actual !== operand],
  ["$gt", (actual, operand) => comparison(actual, operand) > 0],
  ["$gte", (actual, operand) => comparison(actual, operand) >= 0],
  ["$lt", (actual, operand) => comparison(actual, operand) < 0],
  ["$lte", (actual, operand) => comparison(actual, operand) <= 0],
  ["$like", (actual, operand) => isText(actual) && isText(operand) && actual.includes(operand)],
  ["$in", (actual, operand) => Array.isArray(operand) && operand.includes(actual)],
  ["$exists", (actual, operand) => (actual !== undefined && actual !== null) === operand],
]);

/** The rows `query` asks for; a new array. */
export function selectRows(rows: readonly Row[], query: RowQuery): Row[] {
  const { where, limit } = query;
  const selected = where === undefined ? [...rows] : rows.filter((row) => matches(row, where));
  for (const [field, direction] of sortPasses(query.orderBy)) {
    selected.sort((a, b) => compareFields(a[field], b[field]) * (direction === "desc" ? -1 : 1));
  }
  return limit === undefined ? selected : selected.slice(0, limit);
}

/** Whether every member of `where` holds for `row`. */
export function matches(row: Row, where: Row): boolean {
  return Object.entries(where).every(([name, condition]) => {
    if (name === "$order" || name === "$limit" || name === "$offset") return true;
    if (name === "$and") return alternatives(condition).every((filter) => matches(row, filter));
    if (name === "$or") return alternatives(condition).some((filter) => matches(row, filter));
    return holds(row[name], condition);
  });
}

function holds(actual: unknown, condition: unknown): boolean {
  if (!isFilter(condition)) return actual === condition;
  return Object.entries(condition).every(([name, operand]) => OPERATORS.get(name)?.(actual, operand) ?? true);
}

function alternatives(value: unknown): Row[] {
  return Array.isArray(value) ? value.filter(isFilter) : [];
}

function isFilter(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** Two numbers or two texts are in an order; anything else is in none, so every comparison with it is false. */
function comparison(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (isText(a) && isText(b)) return a < b ? -1 : Number(a > b);
  return Number.NaN;
}

/** Stable sorts, the most significant key last. */
function sortPasses(orderBy: RowQuery["orderBy"]): [string, Direction][] {
  if (orderBy === undefined) return [];
  if (!isArray(orderBy)) return Object.entries(orderBy);
  return orderBy.flatMap((order) => Object.entries(order)).reverse();
}

function isArray<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

/** Ascending; missing values last. */
function compareFields(a: unknown, b: unknown): number {
  const missing = Number(a === undefined || a === null) - Number(b === undefined || b === null);
  if (missing !== 0) return missing;
  if (a === undefined || a === null) return 0;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
}
