"""Rows with what they are related to: ``POST /api/query`` (contract 01 §7).

Every level holds only rows that its reader may read. At the top a caller who may read none at all is refused, as
on lists; below it such a relation leads to nothing, as it does for a row that is linked to nothing.
"""

from collections.abc import Sequence

import msgspec

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_http import Response
from pylon_http.expansion import GraphReading
from pylon_http.graph import Include, Selection, parse_graph
from pylon_router.context import Call, RouterContext
from pylon_router.params import ROWS_MAX
from pylon_router.reads import narrowed, readable, refuse_secret_relation, truncation_headers
from pylon_router.table import Route

GRAPH_ROWS_MAX = 10_000
"""Rows in one answer, counted wherever they stand in it."""


def query_graph(ctx: RouterContext, call: Call) -> Response:
    auth = call.caller.auth
    graph = readable_graph(ctx, auth, parse_graph(jsontext.decode(call.body), ctx.manifest))
    with ctx.store.read() as reader:
        reading = GraphReading(reader, ctx.project, rows_max=GRAPH_ROWS_MAX, entity_rows_max=ROWS_MAX)
        answer = reading.read(graph)
    return Response.json(answer, headers=truncation_headers(truncated=reading.truncated))


def readable_graph(ctx: RouterContext, auth: AuthContext, graph: Sequence[Selection]) -> Sequence[Selection]:
    """The wanted graph as far as the caller may read it. Raises what ``readable`` does, RELATION_NOT_FOUND."""
    return [_readable_top(ctx, auth, wanted) for wanted in graph]


def _readable_top(ctx: RouterContext, auth: AuthContext, wanted: Selection) -> Selection:
    return Selection(
        wanted.entity, readable(ctx, auth, wanted.entity, wanted.rows), _readable_includes(ctx, auth, wanted)
    )


def _readable_includes(ctx: RouterContext, auth: AuthContext, wanted: Selection) -> tuple[Include, ...]:
    return tuple(_readable_include(ctx, auth, wanted.entity, include) for include in wanted.includes)


def _readable_include(ctx: RouterContext, auth: AuthContext, entity: str, include: Include) -> Include:
    relation, targets = include.relation, include.targets
    refuse_secret_relation(ctx, auth, entity, relation)
    rows = narrowed(ctx, auth, targets.entity, targets.rows)
    targets = Selection(targets.entity, rows, _readable_includes(ctx, auth, targets))
    return msgspec.structs.replace(include, targets=targets)


ROUTES = (Route("POST", "/api/query", query_graph),)
