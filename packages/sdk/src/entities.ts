/** Entities: kinds of rows. TypeScript checks the field names in indexes, relations and search. */

import { type EntityRef, type Fields, fieldToManifest, nameOf } from "./fields";
import type { ManifestEntity, ManifestRelation, ManifestSearch } from "./manifest";

type Key<F extends Fields> = keyof F & string;

/** The fields of `F` whose rows hold a value (not an array) of one of the types. */
type KeyOfType<F extends Fields, Type> = {
  [K in Key<F>]: F[K]["_def"] extends { readonly type: infer T; readonly crdt?: infer C }
    ? [T] extends [Type] ? ([Extract<C, "list" | "movable-list" | "tree">] extends [never] ? K : never) : never
    : never;
}[Key<F>];

export interface IndexDefinition<Name extends string = string> {
  readonly name: string;
  readonly fields: readonly Name[];
  readonly unique: boolean;
}

/** To one row: `field`, of this entity, holds its id. */
export interface RelationToOne<Field extends string = string> {
  readonly name: string;
  readonly target: EntityRef;
  readonly field: Field;
  readonly many?: false;
}

/** To all rows of `target` whose `field` holds this one's id. */
export interface RelationToMany {
  readonly name: string;
  readonly target: EntityRef;
  readonly field: string;
  readonly many: true;
}

export type RelationDefinition<Field extends string = string> = RelationToOne<Field> | RelationToMany;

export interface SearchDefinition<Text extends string = string, Value extends string = string> {
  /** Searched for words; the first weigh most. */
  readonly text?: readonly Text[];
  /** Counted and narrowed by. */
  readonly facets?: readonly Value[];
  readonly sortable?: readonly Value[];
  /** Of the words, so that "lists" finds "list". */
  readonly language?: string;
}

export interface EntityOptions<F extends Fields = Fields> {
  readonly indexes?: readonly IndexDefinition<Key<F>>[];
  readonly relations?: readonly RelationDefinition<Key<F>>[];
  readonly search?: SearchDefinition<
    KeyOfType<F, "string" | "richtext">,
    KeyOfType<F, "string" | "int" | "float" | "bool" | "datetime" | `id(${string})`>
  >;
  /** `false`: rows have no collaborative documents. */
  readonly crdt?: boolean;
}

export interface Entity<Name extends string = string, F extends Fields = Fields> {
  readonly name: Name;
  readonly fields: F;
  readonly indexes: readonly IndexDefinition[];
  readonly relations: readonly RelationDefinition[];
  readonly search?: SearchDefinition;
  readonly crdt?: boolean;
}

export function entity<const Name extends string, const F extends Fields>(
  name: Name,
  fields: F,
  options: EntityOptions<NoInfer<F>> = {},
): Entity<Name, F> {
  const { indexes = [], relations = [], ...rest } = options;
  return { name, fields, indexes, relations, ...rest };
}

export function relation<const Field extends string>(definition: RelationToOne<Field>): RelationToOne<Field>;
export function relation(definition: RelationToMany): RelationToMany;
export function relation(definition: RelationDefinition): RelationDefinition {
  return definition;
}

export function entitiesToManifest(entities: readonly Entity[]): ManifestEntity[] {
  return entities.map(entityToManifest);
}

function entityToManifest(declared: Entity): ManifestEntity {
  const relations = declared.relations.map(relationToManifest);
  const search = searchToManifest(declared.search ?? {});
  return {
    name: declared.name,
    fields: Object.entries(declared.fields).map(([name, builder]) => fieldToManifest(name, builder)),
    indexes: declared.indexes.map(({ name, fields, unique }) => ({ name, fields: [...fields], unique })),
    ...(relations.length > 0 ? { relations } : {}),
    ...(search === undefined ? {} : { search }),
    ...(declared.crdt === undefined ? {} : { crdt: declared.crdt }),
  };
}

function relationToManifest({ name, target, field, many }: RelationDefinition): ManifestRelation {
  return { name, target: nameOf(target), field, ...(many === undefined ? {} : { many }) };
}

function searchToManifest(search: SearchDefinition): ManifestSearch | undefined {
  const { text = [], facets = [], sortable = [], language } = search;
  if (text.length + facets.length + sortable.length === 0) return undefined;
  return {
    text: [...text],
    facets: [...facets],
    sortable: [...sortable],
    ...(language === undefined ? {} : { language }),
  };
}
