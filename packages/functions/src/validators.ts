/**
 * Argument validators: plain JSON objects, so that what a function accepts can be read by any program
 * (`args_schema` of the `ready` frame), and one pure check over them.
 */

declare const accepts: unique symbol;

/** What an argument may be, as JSON. */
export type ArgSchema =
  | { readonly type: "string" | "number" | "int" | "boolean" | "null" | "any"; readonly optional?: true }
  | { readonly type: "id"; readonly table: string; readonly optional?: true }
  | { readonly type: "array"; readonly items: ArgSchema; readonly optional?: true }
  | { readonly type: "object"; readonly fields: ArgSchemas; readonly optional?: true }
  | { readonly type: "union"; readonly variants: readonly ArgSchema[]; readonly optional?: true }
  | { readonly type: "literal"; readonly value: LiteralValue; readonly optional?: true };

/** The arguments of a function by name. */
export type ArgSchemas = { readonly [name: string]: ArgSchema };

export type LiteralValue = string | number | boolean | null;

/** An `ArgSchema` that also tells the compiler which values it accepts. */
export type Validator<T> = ArgSchema & { readonly [accepts]?: T };

/** A validator of an argument that may be left out. */
export type OptionalValidator<T> = Validator<T> & { readonly optional: true };

/** Validators by argument name: the `args` of a function definition. */
export type Validators = { readonly [name: string]: Validator<unknown> };

/** The type of the values a validator accepts. */
export type Infer<V> = V extends { readonly [accepts]?: infer T } ? T : never;

type OptionalKeys<V> = { [K in keyof V]: V[K] extends { readonly optional: true } ? K : never }[keyof V];
type Simplify<T> = { [K in keyof T]: T[K] };

/** The object a set of validators accepts inside another value: optional members may only be absent. */
type FieldsOf<V> = Simplify<
  { [K in Exclude<keyof V, OptionalKeys<V>>]: Infer<V[K]> } & { [K in OptionalKeys<V>]?: Infer<V[K]> }
>;

/** The arguments a handler receives: an optional one may be absent or null. */
export type ArgsOf<V> = Simplify<
  { [K in Exclude<keyof V, OptionalKeys<V>>]: Infer<V[K]> } & { [K in OptionalKeys<V>]?: Infer<V[K]> | null }
>;

export const v = {
  string: (): Validator<string> => ({ type: "string" }),
  number: (): Validator<number> => ({ type: "number" }),
  float: (): Validator<number> => ({ type: "number" }),
  int: (): Validator<number> => ({ type: "int" }),
  boolean: (): Validator<boolean> => ({ type: "boolean" }),
  bool: (): Validator<boolean> => ({ type: "boolean" }),
  datetime: (): Validator<string> => ({ type: "string" }),
  richtext: (): Validator<string> => ({ type: "string" }),
  id: (table: string): Validator<string> => ({ type: "id", table }),
  null: (): Validator<null> => ({ type: "null" }),
  any: (): Validator<unknown> => ({ type: "any" }),
  array: <T>(items: Validator<T>): Validator<T[]> => ({ type: "array", items }),
  object: <V extends Validators>(fields: V): Validator<FieldsOf<V>> => ({ type: "object", fields }),
  union: <V extends readonly Validator<unknown>[]>(...variants: V): Validator<Infer<V[number]>> => ({
    type: "union",
    variants,
  }),
  literal: <const T extends LiteralValue>(value: T): Validator<T> => ({ type: "literal", value }),
  optional: <T>(validator: Validator<T>): OptionalValidator<T> => ({ ...validator, optional: true }),
};

/** Everything wrong with `args`, one sentence per argument; empty when they fit. */
export function argumentProblems(schemas: ArgSchemas, args: unknown): string[] {
  if (typeof args !== "object" || args === null) return ["args must be an object"];
  const problems: string[] = [];
  for (const name of Object.keys(schemas)) {
    const schema = schemas[name] as ArgSchema;
    const value = own(args, name);
    if (value === undefined || value === null) {
      if (!schema.optional) problems.push(`Missing required field "${name}" (type: ${schema.type})`);
      continue;
    }
    const problem = valueProblem(schema, value, name);
    if (problem !== null) problems.push(problem);
  }
  return problems;
}

/** The first thing wrong with a value, or null; `path` names it in the sentence. */
function valueProblem(schema: ArgSchema, value: unknown, path: string): string | null {
  switch (schema.type) {
    case "any":
      return null;
    case "string":
      return typeof value === "string" ? null : mismatch(path, "string", value);
    case "number":
      return typeof value === "number" ? null : mismatch(path, "number", value);
    case "int":
      return integerProblem(value, path);
    case "boolean":
      return typeof value === "boolean" ? null : mismatch(path, "boolean", value);
    case "id":
      return typeof value === "string" ? null : mismatch(path, "id string", value);
    case "null":
      return value === null ? null : mismatch(path, "null", value);
    case "array":
      return arrayProblem(schema.items, value, path);
    case "object":
      return objectProblem(schema.fields, value, path);
    case "union":
      return schema.variants.some((variant) => valueProblem(variant, value, path) === null)
        ? null
        : `${path}: value does not match any variant`;
    case "literal":
      return value === schema.value
        ? null
        : `${path}: expected literal ${JSON.stringify(schema.value)}, got ${JSON.stringify(value)}`;
    default:
      return schema satisfies never;
  }
}

function integerProblem(value: unknown, path: string): string | null {
  if (typeof value !== "number") return mismatch(path, "number", value);
  return Number.isInteger(value) ? null : `${path}: expected int, got ${value}`;
}

function arrayProblem(items: ArgSchema, value: unknown, path: string): string | null {
  if (!Array.isArray(value)) return mismatch(path, "array", value);
  for (const [index, element] of value.entries()) {
    const problem = valueProblem(items, element, `${path}[${index}]`);
    if (problem !== null) return problem;
  }
  return null;
}

function objectProblem(fields: ArgSchemas, value: unknown, path: string): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${path}: expected object`;
  for (const name of Object.keys(fields)) {
    const schema = fields[name] as ArgSchema;
    const member = own(value, name);
    if (member === undefined) {
      if (!schema.optional) return `${path}.${name}: required field missing`;
      continue;
    }
    const problem = valueProblem(schema, member, `${path}.${name}`);
    if (problem !== null) return problem;
  }
  return null;
}

function mismatch(path: string, expected: string, value: unknown): string {
  return `${path}: expected ${expected}, got ${typeof value}`;
}

/** A member by name, never one inherited from `Object.prototype` (an argument may be called `constructor`). */
function own(holder: object, name: string): unknown {
  return Object.hasOwn(holder, name) ? (holder as Record<string, unknown>)[name] : undefined;
}
