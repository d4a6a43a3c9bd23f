"""Filtered reads: ``POST /api/query/<entity>`` (contract 01 §6)."""

from pylon_core import jsontext
from pylon_http import Response
from pylon_http.filters import parse_filter
from pylon_router.context import Call, RouterContext
from pylon_router.reads import find_rows, projected, truncation_headers
from pylon_router.table import Route


def query_rows(ctx: RouterContext, call: Call) -> Response:
    """A bare array of the rows a filter document selects."""
    (entity,) = call.args
    wanted = parse_filter(jsontext.decode(call.body))
    found = find_rows(ctx, call.caller.auth, entity, wanted)
    return Response.json(projected(ctx, entity, found.rows), headers=truncation_headers(truncated=found.truncated))


ROUTES = (Route("POST", "/api/query/<entity>", query_rows),)
