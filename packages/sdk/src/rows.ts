/** Types of rows, taken from the entity they are rows of. */

import type { AnyField, Fields } from "./fields";

/** A node of a `tree` field. */
export interface TreeNode {
  readonly id: string;
  readonly parent: string | null;
  readonly index: number;
  readonly meta: Readonly<Record<string, string | number | boolean | null>>;
}

type Scalar<Type> = Type extends "int" | "float" ? number : Type extends "bool" ? boolean : string;

type Value<F extends AnyField> = F["_def"] extends { readonly type: infer Type; readonly crdt?: infer Crdt }
  ? "tree" extends Crdt ? TreeNode[]
    : [Extract<Crdt, "list" | "movable-list">] extends [never] ? Scalar<Type>
      : Scalar<Type>[]
  : never;

type IsOptional<F extends AnyField> = F["_def"]["optional"];

type Declared = { readonly fields: Fields };

/** A row as it is read: every field is there, an optional one perhaps null. */
export type Infer<E extends Declared> = { id: string } & {
  -readonly [K in keyof E["fields"]]:
    | Value<E["fields"][K]>
    | (IsOptional<E["fields"][K]> extends true ? null : never);
} extends infer Row ? { [K in keyof Row]: Row[K] } : never;

type RequiredKeys<F extends Fields> = { [K in keyof F]: IsOptional<F[K]> extends true ? never : K }[keyof F];

/** What an insert takes: optional fields may be left out, and the id is made when it is not given. */
export type InferInsert<E extends Declared> =
  & { id?: string }
  & { -readonly [K in RequiredKeys<E["fields"]>]: Value<E["fields"][K]> }
  & { -readonly [K in Exclude<keyof E["fields"], RequiredKeys<E["fields"]>>]?: Value<E["fields"][K]> | null } extends
  infer Row ? { [K in keyof Row]: Row[K] } : never;
