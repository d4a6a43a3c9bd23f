"""The app's functions: ``POST /api/fn/<name>`` calls one, ``GET /api/fn`` lists them (contract 07 §10).

Functions are trusted code: they decide through the identity they are handed, so no policy runs here.
"""

from typing import Any

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_router.context import Call, RouterContext, require_admin
from pylon_router.table import Route


def list_functions(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    return Response.json([] if ctx.functions is None else ctx.functions.definitions())


def call_function(ctx: RouterContext, call: Call) -> Response:
    (name,) = call.args
    if ctx.functions is None:
        raise PylonError("FUNCTIONS_NOT_AVAILABLE", "The TypeScript function runtime is not configured.")
    args = _arguments(call.body)
    _admit(ctx, call, name)
    return Response.json(ctx.functions.call(name, args, call.caller.auth))


def _arguments(body: bytes) -> Any:
    """An empty body means no arguments."""
    return jsontext.decode(body) if body.strip() else {}


def _admit(ctx: RouterContext, call: Call, name: str) -> None:
    if ctx.function_limiter is None:
        return
    caller = call.caller
    wait_s = ctx.function_limiter.admit(f"{name}::{caller.auth.user_id or caller.address or 'anon'}")
    if wait_s:
        raise PylonError(
            "RATE_LIMITED",
            f"The function {name!r} is called too often.",
            details={"retry_after_secs": wait_s},
        )


ROUTES = (
    Route("GET", "/api/fn", list_functions),
    Route("POST", "/api/fn/<name>", call_function),
)
