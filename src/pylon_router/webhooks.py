"""Calls from third parties: ``/api/webhooks/<name>`` runs an action, with any method (contract 07 §10.4).

Such a call proves who it is from by a signature, which the action checks: so it gets the request as it was sent.
It is never made in the name of somebody who happens to be signed in: the server looks at no cookie here, and so
it need not ask which page sent the request either.
"""

from pylon_core.errors import PylonError
from pylon_functions.invocation import Invocation, WebhookRequest
from pylon_functions.registry import FunctionKind
from pylon_http import Response
from pylon_router.context import Call, FunctionHost, RouterContext
from pylon_router.functions import admit, running_functions
from pylon_router.table import Route, no_route

WEBHOOK_PREFIX = "/api/webhooks/"


def call_webhook(ctx: RouterContext, call: Call) -> Response:
    # Another spelling of the path leads here too, but the server, which looks at no cookie, knows only this one.
    if not call.target.startswith(WEBHOOK_PREFIX):
        raise no_route()
    (name,) = call.args
    caller = call.caller
    functions = running_functions(ctx)
    _check_action(functions, name)
    admit(ctx, f"webhook {name}::{caller.address or 'anon'}", f'Webhook "{name}"')
    request = WebhookRequest.of(call.method.upper(), call.target, caller.headers, call.body)
    invocation = Invocation(
        name,
        {"rawBody": request.raw_body},
        caller.auth,
        kind=FunctionKind.ACTION,
        request=request,
        is_gone=caller.is_gone,
    )
    return Response.json(functions.run(invocation))


def _check_action(functions: FunctionHost, name: str) -> None:
    try:
        function = functions.find(name)
    except PylonError as error:
        if error.code != "FN_NOT_FOUND":
            raise
        raise PylonError("FN_NOT_FOUND", f'Action "{name}" is not registered') from None
    if function.fn_type is not FunctionKind.ACTION:
        raise PylonError("NOT_AN_ACTION", f'"{name}" is a {function.fn_type}; webhooks call actions.')


ROUTES = tuple(
    Route(method, "/api/webhooks/<name>", call_webhook) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
)
