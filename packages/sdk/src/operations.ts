/** What may be called, shown and allowed: routes, queries, actions, policies. */

import type {
  FieldType, ManifestAction, ManifestField, ManifestPolicy, ManifestQuery, ManifestRoute, RouteAuth, RouteMode,
} from "./manifest";

export interface RouteDefinition {
  /** `/items/:sku`; each `:name` is an input of the query. */
  readonly path: string;
  readonly mode: RouteMode;
  readonly query?: string;
  readonly auth?: RouteAuth;
}

export interface InputField {
  readonly name: string;
  readonly type: FieldType;
  readonly optional?: boolean;
}

export interface CallableOptions {
  readonly input?: readonly InputField[];
}

export interface QueryDefinition extends CallableOptions {
  readonly name: string;
}

export interface ActionDefinition extends CallableOptions {
  readonly name: string;
}

/** Rules about an entity, an action, or both; `allow` stands for each that is absent, `allowWrite` for three. */
export interface PolicyDefinition {
  readonly name: string;
  readonly entity?: string;
  readonly action?: string;
  readonly allow?: string;
  readonly allowRead?: string;
  readonly allowInsert?: string;
  readonly allowUpdate?: string;
  readonly allowDelete?: string;
  readonly allowWrite?: string;
}

const OPTIONAL_POLICY_KEYS = [
  "entity", "action", "allow", "allowRead", "allowInsert", "allowUpdate", "allowDelete", "allowWrite",
] as const;

export function defineRoute(definition: RouteDefinition): RouteDefinition {
  return definition;
}

/** A query declared by name and input. It is no handler: those are functions, in files of their own. */
export function query(name: string, options: CallableOptions = {}): QueryDefinition {
  return { name, ...options };
}

/** An action declared by name and input, whose input the server checks. */
export function action(name: string, options: CallableOptions = {}): ActionDefinition {
  return { name, ...options };
}

export function policy(definition: PolicyDefinition): PolicyDefinition {
  return definition;
}

export function routesToManifest(routes: readonly RouteDefinition[]): ManifestRoute[] {
  return routes.map(({ path, mode, query, auth }) => ({
    path,
    mode,
    ...(query ? { query } : {}),
    ...(auth ? { auth } : {}),
  }));
}

export function queriesToManifest(queries: readonly QueryDefinition[]): ManifestQuery[] {
  return queries.map(callableToManifest);
}

export function actionsToManifest(actions: readonly ActionDefinition[]): ManifestAction[] {
  return actions.map(callableToManifest);
}

export function policiesToManifest(policies: readonly PolicyDefinition[]): ManifestPolicy[] {
  return policies.map((declared) => {
    const written: ManifestPolicy = { name: declared.name };
    for (const key of OPTIONAL_POLICY_KEYS) {
      const value = declared[key];
      if (value) written[key] = value;
    }
    return written;
  });
}

function callableToManifest({ name, input = [] }: QueryDefinition | ActionDefinition): ManifestQuery | ManifestAction {
  return input.length > 0 ? { name, input: input.map(inputToManifest) } : { name };
}

function inputToManifest({ name, type, optional = false }: InputField): ManifestField {
  return { name, type, optional, unique: false };
}
