"""The server's own tables as the administrator may look at them (contract 01 §20): read only, nothing to use.

Those of parts that do not exist yet are empty.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pylon_core.errors import PylonError
from pylon_core.manifest import EntityDef
from pylon_http import Response
from pylon_http.workflows import instance_to_wire
from pylon_router.context import Call, RouterContext, require_admin
from pylon_router.jobs import to_wire
from pylon_router.table import ANY_METHOD, Route, refuse_method

SESSIONS_MAX = 1000
JOBS_MAX = 1000
WORKFLOWS_MAX = 1000
PREVIEW_CHARS = 12

Entries = list[dict[str, Any]]
Table = Callable[[RouterContext], Entries]


def get_auth_table(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    return Response.json(_table(AUTH_TABLES, call.args[0], "UNKNOWN_AUTH_TABLE")(ctx))


def get_ops_table(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    return Response.json(_table(OPS_TABLES, call.args[0], "UNKNOWN_OPS_TABLE")(ctx))


def _table(tables: Mapping[str, Table], name: str, code: str) -> Table:
    if name not in tables:
        raise PylonError(code, f"There is no such table; there are {', '.join(sorted(tables))}.")
    return tables[name]


def _sessions(ctx: RouterContext) -> Entries:
    """The newest. A token is not stored, so its preview is that of the session's public id."""
    return [
        {
            "id": session.id,
            "token_preview": f"{session.id[:PREVIEW_CHARS]}…",
            "user_id": session.user_id,
            "expires_at": session.expires_at,
            "created_at": session.created_at,
            "device": session.device,
            "tenant_id": session.tenant_id,
        }
        for session in ctx.sessions.newest(SESSIONS_MAX)
    ]


def _search_indexes(ctx: RouterContext) -> Entries:
    return [_search_index(entity) for entity in ctx.manifest.entities if entity.search is not None]


def _search_index(entity: EntityDef) -> dict[str, Any]:
    search = entity.search
    assert search is not None
    return {
        "id": entity.name,
        "entity": entity.name,
        "text_fields": search.text,
        "facet_fields": search.facets,
        "sortable_fields": search.sortable,
        "fts_table": f"{entity.name}_fts",
    }


def _jobs(ctx: RouterContext) -> Entries:
    if ctx.jobs is None:
        return []
    page = ctx.jobs.store.page(None, None, JOBS_MAX)
    return [dict(to_wire(job)) for job in (*page, *ctx.jobs.store.dead(JOBS_MAX - len(page)))]


def _scheduler(ctx: RouterContext) -> Entries:
    return [] if ctx.jobs is None else [{"id": entry["name"], **entry} for entry in ctx.jobs.schedules()]


def _workflows(ctx: RouterContext) -> Entries:
    if ctx.workflows is None:
        return []
    return [instance_to_wire(instance) for instance in ctx.workflows.page(None, None, WORKFLOWS_MAX).instances]


def _nothing_yet(_ctx: RouterContext) -> Entries:
    return []


AUTH_TABLES: Mapping[str, Table] = {
    "sessions": _sessions,
    "accounts": _nothing_yet,
    "oauth_state": _nothing_yet,
    "magic_codes": _nothing_yet,
}
OPS_TABLES: Mapping[str, Table] = {
    "jobs": _jobs,
    "workflows": _workflows,
    "scheduler": _scheduler,
    "search_indexes": _search_indexes,
}

ROUTES = (
    Route("GET", "/api/admin/auth/<table>", get_auth_table),
    Route(ANY_METHOD, "/api/admin/auth/<table>", refuse_method),
    Route("GET", "/api/admin/ops/<table>", get_ops_table),
    Route(ANY_METHOD, "/api/admin/ops/<table>", refuse_method),
)
