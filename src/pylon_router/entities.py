"""Rows over REST: ``/api/entities/<entity>``, ``…/<id>``, ``…/cursor`` (contract 01 §5).

``/api/entity/…`` is a second spelling of the same routes. Lists and pages hold only rows that the caller may
read and are filled up to their limit; a row that is not there and one that is hidden look the same.
"""

from typing import Any

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Answer, Filter, PendingResponse, Response, Row
from pylon_policy import denial
from pylon_router.context import Call, RouterContext
from pylon_router.params import parse_cursor_page, parse_window
from pylon_router.reads import (
    absent_row,
    answer_to_writer,
    find_rows,
    projected,
    readable,
    truncation_headers,
)
from pylon_router.table import ANY_METHOD, Route, refuse_method
from pylon_router.writes import WritePipeline


def list_rows(ctx: RouterContext, call: Call) -> Response:
    """A bare array, or an object that echoes the window when one is asked for (design §4, decision 1)."""
    (entity,) = call.args
    window = parse_window(call.query)
    wanted = Filter(limit=window.limit, offset=window.offset or 0)
    found = find_rows(ctx, call.caller.auth, entity, wanted, count=window.wants_total)
    body: Any = projected(ctx, entity, found.rows)
    if window.is_asked:
        body = {"data": body, "count": len(found.rows), "limit": window.limit, "offset": wanted.offset}
    if found.total is not None:
        body["total"] = found.total
    return Response.json(body, headers=truncation_headers(truncated=found.truncated))


def page_rows(ctx: RouterContext, call: Call) -> Response:
    (entity,) = call.args
    page = parse_cursor_page(call.query)
    wanted = Filter(after=page.after, limit=page.limit + 1)
    allowed = readable(ctx, call.caller.auth, entity, wanted)
    with ctx.store.read() as reader:
        found = reader.query(entity, allowed)
    rows = found[: page.limit]
    body = {
        "data": projected(ctx, entity, rows),
        "has_more": len(found) > page.limit,
        "next_cursor": rows[-1]["id"] if rows else None,
    }
    return Response.json(body)


def get_row(ctx: RouterContext, call: Call) -> Response:
    entity, row_id = call.args
    auth = call.caller.auth
    row = ctx.store.get(entity, row_id)
    if row is None:
        raise absent_row(ctx, auth, entity)
    if not ctx.policies.may_read(entity, auth, row):
        raise denial()
    return Response.json(ctx.project(entity, row))


def create_row(ctx: RouterContext, call: Call) -> Answer:
    (entity,) = call.args
    auth = call.caller.auth
    data = _payload(call.body)
    writes = WritePipeline(ctx, auth)

    def created(row: Row) -> Response:
        return Response.json(answer_to_writer(ctx, auth, entity, row), status=201)

    return PendingResponse(ctx.store, lambda tx: writes.insert(tx, entity, data), created)


def update_row(ctx: RouterContext, call: Call) -> Answer:
    """The row wins when the entity has an ``updated`` field of its own."""
    entity, row_id = call.args
    auth = call.caller.auth
    patch = _payload(call.body)
    writes = WritePipeline(ctx, auth)

    def updated(row: Row) -> Response:
        return Response.json({"updated": True, **answer_to_writer(ctx, auth, entity, row)})

    return PendingResponse(ctx.store, lambda tx: writes.update(tx, entity, row_id, patch), updated)


def delete_row(ctx: RouterContext, call: Call) -> Answer:
    entity, row_id = call.args
    writes = WritePipeline(ctx, call.caller.auth)
    return PendingResponse(
        ctx.store, lambda tx: writes.delete(tx, entity, row_id), lambda _: Response.json({"deleted": True})
    )


def _payload(body: bytes) -> dict[str, Any]:
    if not body:
        raise PylonError("INVALID_JSON", "The request needs a JSON object as its body.")
    return jsontext.decode_object(body)


def _routes(prefix: str) -> tuple[Route, ...]:
    return (
        Route("GET", f"{prefix}/<entity>", list_rows),
        Route("POST", f"{prefix}/<entity>", create_row),
        Route(ANY_METHOD, f"{prefix}/<entity>", refuse_method),
        Route("GET", f"{prefix}/<entity>/cursor", page_rows),
        Route("GET", f"{prefix}/<entity>/<id>", get_row),
        Route("PATCH", f"{prefix}/<entity>/<id>", update_row),
        Route("DELETE", f"{prefix}/<entity>/<id>", delete_row),
        Route(ANY_METHOD, f"{prefix}/<entity>/<id>", refuse_method),
    )


ROUTES = (*_routes("/api/entities"), *_routes("/api/entity"))
