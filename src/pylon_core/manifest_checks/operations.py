"""Contract 02 §8.2, second half: what may be called and by whom: queries, actions, policies, routes."""

from collections.abc import Sequence

from pylon_core.manifest import ActionDef, AppManifest, QueryDef, RouteDef
from pylon_core.manifest_checks.entities import FIELD_TYPES_HINT
from pylon_core.manifest_checks.findings import Findings, Pass, did_you_mean, error, repeated, warning

ROUTE_AUTHS = ("public", "user")
ROUTE_MODES = ("static", "server", "live")


def _queries(manifest: AppManifest) -> Findings:
    for position, query in enumerate(manifest.queries):
        if not query.name:
            yield error("QUERY_NAME_EMPTY", f"queries[{position}] has an empty name.")
    for name in repeated(query.name for query in manifest.queries):
        yield error("QUERY_DUPLICATE", f'Query "{name}" is declared more than once.')


def _actions(manifest: AppManifest) -> Findings:
    for position, action in enumerate(manifest.actions):
        if not action.name:
            yield error("ACTION_NAME_EMPTY", f"actions[{position}] has an empty name.")
    for name in repeated(action.name for action in manifest.actions):
        yield error("ACTION_DUPLICATE", f'Action "{name}" is declared more than once.')


def _inputs(manifest: AppManifest) -> Findings:
    yield from _inputs_of("Query", manifest.queries)
    yield from _inputs_of("Action", manifest.actions)


def _inputs_of(noun: str, declared: Sequence[QueryDef | ActionDef]) -> Findings:
    for called in declared:
        where = f'{noun} "{called.name}"'
        for position, field in enumerate(called.input):
            if not field.name:
                yield error("INPUT_FIELD_NAME_EMPTY", f"{where}: input[{position}] has an empty name.")
        for name in repeated(field.name for field in called.input):
            yield error("INPUT_FIELD_DUPLICATE", f'{where} declares input "{name}" more than once.')
        for field in called.input:
            if field.kind is None:
                yield error(
                    "INPUT_FIELD_TYPE_UNKNOWN",
                    f'{where}: input "{field.name}" has the unknown type "{field.type}".',
                    FIELD_TYPES_HINT,
                )


def _policies(manifest: AppManifest) -> Findings:
    for position, policy in enumerate(manifest.policies):
        if not policy.name:
            yield error("POLICY_NAME_EMPTY", f"policies[{position}] has an empty name.")
    for name in repeated(policy.name for policy in manifest.policies):
        yield error("POLICY_DUPLICATE", f'Policy "{name}" is declared more than once.')
    for policy in manifest.policies:
        if not policy.expressions:
            yield error(
                "POLICY_ALLOW_EMPTY",
                f'Policy "{policy.name}" has no expression.',
                'say who may, for example allowRead: "auth.userId != null"',
            )


def _policy_targets(manifest: AppManifest) -> Findings:
    for policy in manifest.policies:
        where = f'Policy "{policy.name}"'
        if not policy.entity and not policy.action:
            yield error("POLICY_NO_TARGET", f"{where} names neither an entity nor an action.")
        if policy.entity and manifest.entity(policy.entity) is None:
            yield error(
                "POLICY_ENTITY_NOT_FOUND",
                f'{where}: entity "{policy.entity}" is not declared.',
                did_you_mean(policy.entity, (entity.name for entity in manifest.entities)),
            )
        if policy.action and manifest.action(policy.action) is None:
            yield error(
                "POLICY_ACTION_NOT_FOUND",
                f'{where}: action "{policy.action}" is not declared.',
                did_you_mean(policy.action, (action.name for action in manifest.actions)),
            )


def _route_paths(manifest: AppManifest) -> Findings:
    for position, route in enumerate(manifest.routes):
        if not route.path:
            yield error("ROUTE_PATH_EMPTY", f"routes[{position}] has an empty path.")
        elif not route.path.startswith("/"):
            yield error("ROUTE_PATH_NO_SLASH", f'Route "{route.path}" does not start with "/".')
    for path in repeated(route.path for route in manifest.routes):
        yield error("ROUTE_PATH_DUPLICATE", f'Route "{path}" is declared more than once.')


def _route_queries(manifest: AppManifest) -> Findings:
    for route in manifest.routes:
        if route.query is None:
            continue
        query = manifest.query(route.query)
        if query is None:
            yield error(
                "ROUTE_QUERY_NOT_FOUND",
                f'Route "{route.path}": query "{route.query}" is not declared.',
                did_you_mean(route.query, (query.name for query in manifest.queries)),
            )
        else:
            yield from _route_params(route, query)


def _route_params(route: RouteDef, query: QueryDef) -> Findings:
    inputs = [field.name for field in query.input]
    for param in route.params:
        if param not in inputs:
            yield error(
                "ROUTE_PARAM_NOT_IN_QUERY",
                f'Route "{route.path}": ":{param}" is not an input of query "{query.name}".',
                did_you_mean(param, inputs),
            )


def _route_settings(manifest: AppManifest) -> Findings:
    for route in manifest.routes:
        if route.auth is not None and route.auth not in ROUTE_AUTHS:
            yield error(
                "ROUTE_AUTH_INVALID",
                f'Route "{route.path}" has the unknown auth "{route.auth}".',
                f"auth is one of {', '.join(ROUTE_AUTHS)}",
            )
        if route.mode not in ROUTE_MODES:
            yield warning(
                "ROUTE_MODE_UNKNOWN",
                f'Route "{route.path}" has the unknown mode "{route.mode}".',
                f"mode is one of {', '.join(ROUTE_MODES)}",
            )


PASSES: tuple[Pass, ...] = (
    _queries,
    _actions,
    _inputs,
    _policies,
    _policy_targets,
    _route_paths,
    _route_queries,
    _route_settings,
)
