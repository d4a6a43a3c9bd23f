/** `db` with the names and types of one app. Types only: nothing is checked at run time. */

import type { Created } from "@pylonsync/sync";
import { type Db, db } from "./db.ts";
import type { Direction } from "./filter.ts";
import type { Include } from "./include.ts";
import type { InfiniteQueryResult } from "./useInfiniteQuery.ts";
import type { LiveQueryOptions, LiveQueryResult } from "./useLiveQuery.ts";
import type { CallArguments, MutationResult } from "./useMutation.ts";
import type { QueryOptions, QueryResult } from "./useQuery.ts";
import type { QueryOneResult } from "./useQueryOne.ts";
import type { SearchResult } from "./useSearch.ts";

/** What an app is made of; the generated `AppSchema` is one. */
export interface AgentDBSchema {
  entities: Record<string, unknown>;
  functions: Record<string, { input: unknown; output: unknown }>;
  queries: Record<string, { input: unknown; output: unknown }>;
  /** The entities with search, and the names of their facets and of what their hits can be sorted by. */
  searches?: Record<string, { facets: string; sortable: string }>;
}

type EntityName<S extends AgentDBSchema> = keyof S["entities"] & string;
type FunctionName<S extends AgentDBSchema> = keyof S["functions"] & string;
type Entity<S extends AgentDBSchema, E extends EntityName<S>> = S["entities"][E];
type Input<S extends AgentDBSchema, F extends FunctionName<S>> = S["functions"][F]["input"];
type Output<S extends AgentDBSchema, F extends FunctionName<S>> = S["functions"][F]["output"];

type Searches<S extends AgentDBSchema> = NonNullable<S["searches"]>;
type SearchedName<S extends AgentDBSchema> = keyof Searches<S> & EntityName<S>;
type Facet<S extends AgentDBSchema, E extends SearchedName<S>> = Searches<S>[E]["facets"] & keyof Entity<S, E> & string;
type Sortable<S extends AgentDBSchema, E extends SearchedName<S>> = Searches<S>[E]["sortable"];

interface Operators<V> {
  $not?: V | null | undefined;
  $gt?: V | undefined;
  $gte?: V | undefined;
  $lt?: V | undefined;
  $lte?: V | undefined;
  $like?: string | undefined;
  $in?: readonly (V | null)[] | undefined;
  $exists?: boolean | undefined;
}

/** A `where` on the fields of `T`. */
export type Filter<T> = {
  [Field in keyof T]?: T[Field] | null | Operators<NonNullable<T[Field]>> | undefined;
} & { $and?: readonly Filter<T>[] | undefined; $or?: readonly Filter<T>[] | undefined };

export type OrderBy<T> = Partial<Record<keyof T & string, Direction>>;

export interface TypedQueryOptions<T> {
  where?: Filter<T> | undefined;
  orderBy?: OrderBy<T> | readonly OrderBy<T>[] | undefined;
  limit?: number | undefined;
  include?: Include | undefined;
}

export interface TypedLiveQueryOptions<T> {
  where?: Filter<T> | undefined;
  order?: OrderBy<T> | undefined;
  limit?: number | undefined;
}

export interface TypedSearchSpec<T, Facet extends keyof T & string, Sortable extends string> {
  query?: string | undefined;
  /** Facets and the value each must have, also as a key of the counts spells it. */
  filters?: { [Field in Facet]?: NonNullable<T[Field]> | string | undefined } | undefined;
  /** The facets to count. */
  facets?: Facet[] | undefined;
  sort?: [field: Sortable, direction: Direction] | undefined;
  /** From 0 on. */
  page?: number | undefined;
  pageSize?: number | undefined;
}

export interface TypedSearchResult<T, Facet extends string> extends Omit<SearchResult<T>, "facetCounts"> {
  facetCounts: { [Field in Facet]?: Record<string, number> };
}

/** What has no names of the app in it. */
type Untyped =
  | "sync" | "useSync" | "useSyncStatus" | "useConnection" | "useUnsent" | "useFailedWrites"
  | "useSession" | "usePresence" | "useTopic";

export interface TypedDb<S extends AgentDBSchema> extends Pick<Db, Untyped> {
  useQuery<E extends EntityName<S>>(
    entity: E,
    options?: TypedQueryOptions<Entity<S, E>>,
  ): QueryResult<Entity<S, E>>;
  useLiveQuery<E extends EntityName<S>>(
    entity: E,
    options?: TypedLiveQueryOptions<Entity<S, E>>,
  ): LiveQueryResult<Entity<S, E>>;
  useQueryOne<E extends EntityName<S>>(entity: E, id: string): QueryOneResult<Entity<S, E>>;
  useMutation<F extends FunctionName<S>>(fnName: F): MutationResult<Input<S, F>, Output<S, F>>;
  useInfiniteQuery<E extends EntityName<S>>(
    entity: E,
    options?: { pageSize?: number | undefined },
  ): InfiniteQueryResult<Entity<S, E>>;
  /** Of the entities that have search. */
  useSearch<E extends SearchedName<S>>(
    entity: E,
    spec: TypedSearchSpec<Entity<S, E>, Facet<S, E>, Sortable<S, E>>,
  ): TypedSearchResult<Entity<S, E>, Facet<S, E>>;
  fn<F extends FunctionName<S>>(name: F, ...args: CallArguments<Input<S, F>>): Promise<Output<S, F>>;
  create<E extends EntityName<S>>(entity: E, data: Partial<Entity<S, E>>): Created;
  insert<E extends EntityName<S>>(entity: E, data: Partial<Entity<S, E>>): Promise<string>;
  update<E extends EntityName<S>>(entity: E, id: string, patch: Partial<Entity<S, E>>): Promise<void>;
  delete(entity: EntityName<S>, id: string): Promise<void>;
  /** For what has no types here: aggregates, streams, uploads. */
  readonly untyped: Db;
}

export function createTypedDb<S extends AgentDBSchema>(): TypedDb<S> {
  const { useSync, useSyncStatus, useConnection, useUnsent, useFailedWrites, useSession, usePresence, useTopic } = db;
  return {
    get sync() {
      return db.sync;
    },
    useSync, useSyncStatus, useConnection, useUnsent, useFailedWrites, useSession, usePresence, useTopic,
    // The typed options are the untyped ones with fewer things to say.
    useQuery: (entity, options) => db.useQuery(entity, options as QueryOptions | undefined),
    useLiveQuery: (entity, options) => db.useLiveQuery(entity, options as LiveQueryOptions | undefined),
    useQueryOne: (entity, id) => db.useQueryOne(entity, id),
    useMutation: (fnName) => db.useMutation(fnName),
    useInfiniteQuery: (entity, options) => db.useInfiniteQuery(entity, options),
    useSearch: <E extends SearchedName<S>>(entity: E, spec: object) =>
      db.useSearch<Entity<S, E>>(entity, spec) as TypedSearchResult<Entity<S, E>, Facet<S, E>>,
    fn: (name, ...[args]) => db.fn(name, args),
    create: (entity, data) => db.create(entity, { ...data }),
    insert: (entity, data) => db.insert(entity, { ...data }),
    update: (entity, id, patch) => db.update(entity, id, { ...patch }),
    delete: (entity, id) => db.delete(entity, id),
    untyped: db,
  };
}
