/**
 * The schema SDK: what an app's `app.ts` imports to say what there is, and who may do what.
 *
 *     const Todo = entity("Todo", { title: field.string(), done: field.bool() });
 *     console.log(JSON.stringify(buildManifest({ name: "todo", version: "1", entities: [Todo], routes: [] })));
 */

export { auth } from "./auth";
export type { AuthOptions } from "./auth";
export { buildManifest } from "./build";
export type { AppDefinition } from "./build";
export { entitiesToManifest, entity, relation } from "./entities";
export type {
  Entity, EntityOptions, IndexDefinition, RelationDefinition, RelationToMany, RelationToOne, SearchDefinition,
} from "./entities";
export { field, FieldBuilder } from "./fields";
export type { AnyField, CrdtKindOf, EntityRef, FieldDef, Fields } from "./fields";
export { MANIFEST_VERSION } from "./manifest";
export type {
  AppManifest, CrdtKind, FieldType, JsonValue, ManifestAction, ManifestAuth, ManifestEntity, ManifestField,
  ManifestIndex, ManifestPolicy, ManifestQuery, ManifestRelation, ManifestRoute, ManifestSchedule, ManifestSearch,
  Missed, RouteAuth, RouteMode, ScalarType,
} from "./manifest";
export {
  action, actionsToManifest, defineRoute, policiesToManifest, policy, queriesToManifest, query, routesToManifest,
} from "./operations";
export type {
  ActionDefinition, CallableOptions, InputField, PolicyDefinition, QueryDefinition, RouteDefinition,
} from "./operations";
export { definePlugin } from "./plugins";
export type { Declarations, PluginDefinition } from "./plugins";
export type { Infer, InferInsert, TreeNode } from "./rows";
export { schedule, schedulesToManifest } from "./schedules";
export type { ScheduleDefinition } from "./schedules";
