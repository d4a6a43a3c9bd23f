"""``route``: one request in, one response out, for every URL of the data API.

Pure over what its context gives it: no clock, no thread, no socket. ``dispatch`` is the same for a server that
does not want to wait: what must be written first comes back as a ``PendingResponse``. The one place where a
``PylonError`` becomes the error envelope; anything else a handler raises is a bug and goes on to the server,
which logs it.
"""

from pylon_core.errors import PylonError
from pylon_http import Answer, HttpMethod, Response
from pylon_router import auth, entities, functions, queries, sync, system
from pylon_router.context import Call, Caller, RouterContext
from pylon_router.table import RouteTable, effective_method

ROUTES = (
    *system.ROUTES,
    *auth.ROUTES,
    *sync.ROUTES,
    *queries.ROUTES,
    *entities.ROUTES,
    *functions.ROUTES,
)

_TABLE = RouteTable(ROUTES)


def route(ctx: RouterContext, method: str, url: str, body: bytes, caller: Caller) -> Response:
    """Answer a request; ``url`` is its target, path and query, still percent-encoded."""
    answer = dispatch(ctx, method, url, body, caller)
    if isinstance(answer, Response):
        return answer
    try:
        return answer.wait()
    except PylonError as error:
        return Response.error(error)


def dispatch(ctx: RouterContext, method: str, url: str, body: bytes, caller: Caller) -> Answer:
    """As ``route``, but a write is only described, not done."""
    if method == HttpMethod.OPTIONS:
        return Response(204, b"")
    path, _, query = url.partition("?")
    try:
        handler, args = _TABLE.find(effective_method(method), path)
        return handler(ctx, Call(caller, args, query, body))
    except PylonError as error:
        return Response.error(error)
