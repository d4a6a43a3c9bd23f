/** Fields of entities. A builder never changes: each modifier gives a new one. */

import type { CrdtKind, FieldType, ManifestField, ScalarType } from "./manifest";

export interface FieldDef<
  Type extends FieldType = FieldType,
  Optional extends boolean = boolean,
  Crdt extends CrdtKind | undefined = CrdtKind | undefined,
> {
  readonly type: Type;
  readonly optional: Optional;
  readonly unique: boolean;
  readonly crdt?: Crdt;
}

/** Any field, for whatever only reads what it is. */
export interface AnyField {
  readonly _def: FieldDef;
}

export type Fields = Readonly<Record<string, AnyField>>;

type AnyCrdt = "lww" | "list" | "movable-list" | "tree";
type TextCrdt<Type> = Type extends "string" | "richtext" ? "text" : never;
type NumberCrdt<Type> = Type extends "int" | "float" ? "counter" : never;

/** What a field of this type can be in a collaborative document. */
export type CrdtKindOf<Type extends FieldType> = AnyCrdt | TextCrdt<Type> | NumberCrdt<Type>;

export class FieldBuilder<
  Type extends FieldType,
  Optional extends boolean = false,
  Crdt extends CrdtKind | undefined = undefined,
> implements AnyField {
  readonly _def: FieldDef<Type, Optional, Crdt>;

  constructor(definition: FieldDef<Type, Optional, Crdt>) {
    this._def = definition;
  }

  /** May be null. */
  optional(): FieldBuilder<Type, true, Crdt> {
    return new FieldBuilder<Type, true, Crdt>({ ...this._def, optional: true });
  }

  /** No two rows have the same value. */
  unique(): FieldBuilder<Type, Optional, Crdt> {
    return new FieldBuilder<Type, Optional, Crdt>({ ...this._def, unique: true });
  }

  /** How edits that several people make at once merge. */
  crdt<Kind extends CrdtKindOf<Type>>(kind: Kind): FieldBuilder<Type, Optional, Kind> {
    return new FieldBuilder<Type, Optional, Kind>({ ...this._def, crdt: kind });
  }
}

/** An entity by its name, or as it was declared. */
export type EntityRef<Name extends string = string> = Name | { readonly name: Name };

export function nameOf<Name extends string>(entity: EntityRef<Name>): Name {
  return typeof entity === "string" ? entity : entity.name;
}

function scalar<Type extends ScalarType>(type: Type): () => FieldBuilder<Type> {
  return () => new FieldBuilder<Type>({ type, optional: false, unique: false });
}

export const field = {
  string: scalar("string"),
  /** A whole number of at most 64 bits. */
  int: scalar("int"),
  float: scalar("float"),
  number: scalar("float"),
  bool: scalar("bool"),
  boolean: scalar("bool"),
  /** An instant: ISO 8601 text with an offset. */
  datetime: scalar("datetime"),
  /** A long text; several people can write in it at once unless its entity says `crdt: false`. */
  richtext: scalar("richtext"),
  /** The id of a row of that entity. */
  id<const Target extends string>(target: EntityRef<Target>): FieldBuilder<`id(${Target})`> {
    return new FieldBuilder<`id(${Target})`>({ type: `id(${nameOf(target)})`, optional: false, unique: false });
  },
} as const;

export function fieldToManifest(name: string, { _def }: AnyField): ManifestField {
  const { type, optional, unique, crdt } = _def;
  return { name, type, optional, unique, ...(crdt === undefined ? {} : { crdt }) };
}
