/** The manifest as JSON: what `buildManifest` gives and the server reads. Absent members mean their default. */

export const MANIFEST_VERSION = 1;

export type ScalarType = "string" | "int" | "float" | "bool" | "datetime" | "richtext";
export type FieldType = ScalarType | `id(${string})`;
export type CrdtKind = "lww" | "text" | "counter" | "list" | "movable-list" | "tree";
export type RouteMode = "static" | "server" | "live";
export type RouteAuth = "public" | "user";
/** What becomes of a run that was due while no server was up. */
export type Missed = "skip" | "once";
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export interface ManifestField {
  name: string;
  type: FieldType;
  optional: boolean;
  unique: boolean;
  crdt?: CrdtKind;
}

export interface ManifestIndex {
  name: string;
  fields: string[];
  unique: boolean;
}

export interface ManifestRelation {
  name: string;
  target: string;
  field: string;
  many?: boolean;
}

export interface ManifestSearch {
  text: string[];
  facets: string[];
  sortable: string[];
  language?: string;
}

export interface ManifestEntity {
  name: string;
  fields: ManifestField[];
  indexes: ManifestIndex[];
  relations?: ManifestRelation[];
  search?: ManifestSearch;
  crdt?: boolean;
}

export interface ManifestRoute {
  path: string;
  mode: RouteMode;
  query?: string;
  auth?: RouteAuth;
}

export interface ManifestQuery {
  name: string;
  input?: ManifestField[];
}

export interface ManifestAction {
  name: string;
  input?: ManifestField[];
}

export interface ManifestPolicy {
  name: string;
  entity?: string;
  action?: string;
  allow?: string;
  allowRead?: string;
  allowInsert?: string;
  allowUpdate?: string;
  allowDelete?: string;
  allowWrite?: string;
}

export interface ManifestSchedule {
  name: string;
  cron: string;
  timezone: string;
  function: string;
  args: { readonly [name: string]: JsonValue };
  missed: Missed;
}

export interface ManifestAuth {
  user: { entity: string; expose: string[]; hide: string[] };
  session: {
    expires_in: number;
    cookie_cache: { enabled: boolean; max_age: number; claims: string[] };
  };
  trusted_origins: string[];
}

export interface AppManifest {
  manifest_version: typeof MANIFEST_VERSION;
  name: string;
  version: string;
  entities: ManifestEntity[];
  routes: ManifestRoute[];
  queries: ManifestQuery[];
  actions: ManifestAction[];
  policies: ManifestPolicy[];
  auth: ManifestAuth;
  schedules?: ManifestSchedule[];
}
