"""What the program says about itself, ``/api/manifest`` and ``/api/openapi.json``; and how tests start it afresh.

Health and metrics belong to the server, which answers them before anything else runs.
"""

import ipaddress

from pylon_core.errors import PylonError
from pylon_core.manifest import public_manifest
from pylon_http import Response
from pylon_router.context import Call, RouterContext
from pylon_router.params import parse_query
from pylon_router.table import Route


def get_manifest(ctx: RouterContext, call: Call) -> Response:
    """Policy expressions are for admins only; for anyone else ``?full=1`` changes nothing."""
    wants_expressions = parse_query(call.query).get("full") in ("1", "true")
    expressions = wants_expressions and call.caller.auth.is_admin
    return Response.json(public_manifest(ctx.manifest, expressions=expressions))


def get_openapi(ctx: RouterContext, _call: Call) -> Response:
    return Response(200, ctx.openapi)


def reset(ctx: RouterContext, call: Call) -> Response:
    """Empty a database that is in memory anyway, for tests on the same machine."""
    if ctx.reset is None or not ctx.dev_mode or not _is_loopback(call.caller.address):
        raise PylonError("RESET_REFUSED", "Only an in-memory database in development mode, from the same machine.")
    ctx.reset()
    return Response.json({"reset": True})


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


ROUTES = (
    Route("GET", "/api/manifest", get_manifest),
    Route("GET", "/api/openapi.json", get_openapi),
    Route("POST", "/api/__test__/reset", reset),
)
