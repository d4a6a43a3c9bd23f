"""The app's functions: ``POST /api/fn/<name>`` calls one, ``GET /api/fn`` lists them, ``GET /api/fn/traces`` shows
the last calls (contract 07 §10-11).

Functions are trusted code: they decide through the identity they are handed, so no policy runs here. What is
limited is how often one caller calls one of them; what a function calls in turn is not.
"""

from typing import Any

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_functions.invocation import Invocation
from pylon_http import Answer, Response
from pylon_router.context import Call, FunctionHost, RouterContext, require_admin
from pylon_router.function_streams import EVENT_STREAM, streamed
from pylon_router.params import parse_query, whole_number
from pylon_router.table import Route

TRACES_DEFAULT = 50
TRACES_MAX = 500


def list_functions(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    return Response.json([] if ctx.functions is None else ctx.functions.definitions())


def list_traces(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    limit = whole_number(parse_query(call.query), "limit")
    most = TRACES_DEFAULT if limit is None else min(limit, TRACES_MAX)
    return Response.json([] if ctx.functions is None else ctx.functions.traces(most))


def call_function(ctx: RouterContext, call: Call) -> Answer:
    (name,) = call.args
    caller = call.caller
    functions = running_functions(ctx)
    functions.find(name)
    args = _arguments(call.body)
    admit(ctx, f"{name}::{caller.auth.user_id or caller.address or 'anon'}", f'Function "{name}"')
    invocation = Invocation(name, args, caller.auth, is_gone=caller.is_gone)
    if EVENT_STREAM in caller.headers.get("accept", "").lower():
        return streamed(functions, invocation)
    return Response.json(functions.run(invocation))


def running_functions(ctx: RouterContext) -> FunctionHost:
    if ctx.functions is None:
        raise PylonError("FUNCTIONS_NOT_AVAILABLE", "TypeScript function runtime is not configured")
    return ctx.functions


def admit(ctx: RouterContext, key: str, called: str) -> None:
    """Count a call under ``key``. Raises RATE_LIMITED when there were too many of ``called``."""
    wait_s = 0 if ctx.function_limiter is None else ctx.function_limiter.admit(key)
    if wait_s:
        raise PylonError("RATE_LIMITED", f"{called} rate limit exceeded", details={"retry_after_secs": wait_s})


def _arguments(body: bytes) -> Any:
    """An empty body means no arguments."""
    return jsontext.decode(body) if body.strip() else {}


ROUTES = (
    Route("GET", "/api/fn", list_functions),
    Route("GET", "/api/fn/traces", list_traces),
    Route("POST", "/api/fn/<name>", call_function),
)
