"""``route``: one request in, one response out, for every URL of the data API.

Pure over what its context gives it: no clock, no thread, no socket. ``dispatch`` is the same for a server that
does not want to wait: what must be written first comes back as a ``PendingResponse``. The one place where a
``PylonError`` becomes the error envelope; anything else a handler raises is a bug and goes on to the server,
which logs it.
"""

from pylon_core.errors import PylonError
from pylon_http import Answer, HttpMethod, PendingResponse, PushedResponse, Response, StreamedResponse
from pylon_router import (
    actions,
    admin,
    aggregates,
    auth,
    bulk,
    crdt,
    entities,
    exports,
    files,
    functions,
    gdpr,
    graph,
    imports,
    jobs,
    links,
    lookups,
    queries,
    search,
    sync,
    system,
    webhooks,
    workflows,
)
from pylon_router.context import Call, Caller, RouterContext
from pylon_router.table import RouteTable, effective_method

ROUTES = (
    *system.ROUTES,
    *auth.ROUTES,
    *sync.ROUTES,
    *crdt.ROUTES,
    *queries.ROUTES,
    *search.ROUTES,
    *graph.ROUTES,
    *aggregates.ROUTES,
    *lookups.ROUTES,
    *links.ROUTES,
    *actions.ROUTES,
    *entities.ROUTES,
    *functions.ROUTES,
    *webhooks.ROUTES,
    *files.ROUTES,
    *jobs.ROUTES,
    *workflows.ROUTES,
    *bulk.ROUTES,
    *exports.ROUTES,
    *imports.ROUTES,
    *gdpr.ROUTES,
    *admin.ROUTES,
)

_TABLE = RouteTable(ROUTES)


def route(ctx: RouterContext, method: str, url: str, body: bytes, caller: Caller) -> Response:
    """Answer a request; ``url`` is its target, path and query, still percent-encoded."""
    answer = dispatch(ctx, method, url, body, caller)
    if isinstance(answer, Response):
        return answer
    try:
        if isinstance(answer, PendingResponse):
            return answer.wait()
        if isinstance(answer, StreamedResponse | PushedResponse):
            return answer.whole()
    except PylonError as error:
        return Response.error(error)
    return Response.error(PylonError("NOT_SUPPORTED", "Uploads and downloads need a server.", status=501))


def dispatch(ctx: RouterContext, method: str, url: str, body: bytes, caller: Caller) -> Answer:
    """As ``route``, but a write is only described, not done."""
    if method == HttpMethod.OPTIONS:
        return Response(204, b"")
    path, _, query = url.partition("?")
    try:
        handler, args = _TABLE.find(effective_method(method), path)
        return handler(ctx, Call(caller, args, query, body, method, url))
    except PylonError as error:
        return Response.error(error)
