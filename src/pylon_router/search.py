"""Faceted full-text search: ``POST /api/search/<entity>`` (contract 01 §14).

Hits, total and facet counts are of the rows that the caller may read, and of no others.
"""

import msgspec

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_http.search import Search, parse_search
from pylon_router.context import Call, RouterContext
from pylon_router.reads import projected, refuse_blind
from pylon_router.table import ANY_METHOD, Route, refuse_method


def search_rows(ctx: RouterContext, call: Call) -> Response:
    """No secret field can be searched, counted or sorted by: the manifest's checks see to that."""
    (entity,) = call.args
    auth = call.caller.auth
    document = jsontext.decode(call.body)
    refuse_blind(ctx, auth, entity)
    allowed = readable_search(ctx, auth, entity, parse_search(document))
    begun_s = ctx.clock.monotonic()
    with ctx.store.read() as reader:
        page = reader.search(entity, allowed)
    took_s = ctx.clock.monotonic() - begun_s
    return Response.json(page.to_wire(projected(ctx, entity, page.hits), took_s))


def readable_search(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Search) -> Search:
    """The search over the rows that the caller may read. Raises what ``refuse_blind`` does."""
    refuse_blind(ctx, auth, entity)
    return msgspec.structs.replace(wanted, condition=ctx.policies.read_condition(entity, auth))


def refuse_no_entity(_ctx: RouterContext, _call: Call) -> Response:
    raise PylonError("MISSING_ENTITY", "Name the entity to search: /api/search/<entity>.")


ROUTES = (
    Route("POST", "/api/search/<entity>", search_rows),
    Route(ANY_METHOD, "/api/search/<entity>", refuse_method),
    Route(ANY_METHOD, "/api/search", refuse_no_entity),
    Route(ANY_METHOD, "/api/search/", refuse_no_entity),
)
