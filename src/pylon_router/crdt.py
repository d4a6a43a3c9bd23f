"""A client's edits of a collaborative document: ``POST /api/crdt/<entity>/<row_id>`` (contract 05 §7.5).

The row id is all the rest of the path. The edits are judged as an update of the row: by what it was, what it
becomes with them, and what of it they change.
"""

from typing import Any

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Answer, PendingResponse, Response, Row
from pylon_router.context import Call, RouterContext
from pylon_router.table import ANY_METHOD, Route, no_route
from pylon_router.writes import WritePipeline


def post_update(ctx: RouterContext, call: Call) -> Answer:
    _require_session(call)
    entity, row_id = call.args
    update = _parse(call.body)
    writes = WritePipeline(ctx, call.caller.auth)
    rehearsal = writes.rehearse_merge(entity, row_id, update)

    def merged(_row: Row) -> Response:
        return Response.json({"ok": True})

    return PendingResponse(ctx.store, lambda tx: writes.merge(tx, entity, row_id, update, rehearsal), merged)


def refuse_path(_ctx: RouterContext, call: Call) -> Response:
    """Whatever else is asked for here: without an entity or a row, or by another method."""
    (rest,) = call.args
    entity, _, row_id = rest.partition("/")
    if entity and row_id:
        raise no_route()
    _require_session(call)
    raise PylonError("BAD_PATH", "The path must name an entity and a row: /api/crdt/<entity>/<row id>.")


def _require_session(call: Call) -> None:
    if call.caller.auth.user_id is None and not call.caller.auth.is_admin:
        raise PylonError(
            "AUTH_REQUIRED", "Editing a document needs a session.", hint="POST /api/auth/guest gives one."
        )


def _parse(body: bytes) -> bytes:
    document: Any = jsontext.decode(body)
    text = document.get("update") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise PylonError("MISSING_UPDATE", "update must be a string of hexadecimal digits.")
    try:
        update = bytes.fromhex(text)
    except ValueError:
        raise _no_hex() from None
    if len(text) != 2 * len(update):  # Python reads over spaces
        raise _no_hex()
    return update


def _no_hex() -> PylonError:
    return PylonError("INVALID_HEX", "update must be an even number of hexadecimal digits.")


ROUTES = (
    Route("POST", "/api/crdt/<entity>/<row_id...>", post_update),
    Route(ANY_METHOD, "/api/crdt/<rest...>", refuse_path),
)
