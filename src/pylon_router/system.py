"""What the program says about itself: ``/api/manifest``.

Health and metrics belong to the server, which answers them before anything else runs.
"""

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


ROUTES = (Route("GET", "/api/manifest", get_manifest),)
