"""Durable workflows for operators: ``/api/workflows`` (contract 09 §7). Every route is the administrator's; the
users of an app see workflows through its functions.
"""

from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_http.workflows import WorkflowStatus, instance_to_wire
from pylon_router.context import Call, RouterContext, Workflows, require_admin
from pylon_router.params import parse_query, whole_number
from pylon_router.table import Route

PAGE_DEFAULT = 100
PAGE_MAX = 1_000

_STATUSES = {
    "pending": WorkflowStatus.PENDING,
    "running": WorkflowStatus.RUNNING,
    "sleeping": WorkflowStatus.SLEEPING,
    "waiting": WorkflowStatus.WAITING,
    "completed": WorkflowStatus.COMPLETED,
    "failed": WorkflowStatus.FAILED,
    "cancelled": WorkflowStatus.CANCELLED,
}


def list_definitions(ctx: RouterContext, call: Call) -> Response:
    return Response.json(_workflows(ctx, call).definitions())


def start(ctx: RouterContext, call: Call) -> Response:
    workflows = _workflows(ctx, call)
    body = _object(call)
    workflow_id = workflows.start(_text(body, "name"), _raw(body.get("input", {})))
    return Response.json({"id": workflow_id}, status=201)


def list_instances(ctx: RouterContext, call: Call) -> Response:
    workflows = _workflows(ctx, call)
    params = parse_query(call.query)
    limit = whole_number(params, "limit")
    page = workflows.page(
        _STATUSES.get(params.get("status", "")),
        params.get("after"),
        min(PAGE_DEFAULT if limit is None else limit, PAGE_MAX),
    )
    headers = (("X-Pylon-Truncated", "true"),) if page.has_more else ()
    return Response.json([instance_to_wire(instance) for instance in page.instances], headers=headers)


def read_instance(ctx: RouterContext, call: Call) -> Response:
    (workflow_id,) = call.args
    instance = _workflows(ctx, call).find(workflow_id)
    if instance is None:
        raise PylonError("NOT_FOUND", f"Workflow {workflow_id} not found")
    return Response.json(instance_to_wire(instance))


def advance(ctx: RouterContext, call: Call) -> Response:
    (workflow_id,) = call.args
    return Response.json({"status": _workflows(ctx, call).advance(workflow_id)})


def send_event(ctx: RouterContext, call: Call) -> Response:
    """With ``"buffer": true`` an event that nobody waits for yet is kept instead of refused."""
    workflows = _workflows(ctx, call)
    (workflow_id,) = call.args
    body = _object(call)
    name, data = _text(body, "event"), _raw(body.get("data", {}))
    if body.get("buffer") is not True:
        workflows.deliver(workflow_id, name, data)
    elif not workflows.send(workflow_id, name, data):
        raise PylonError("WORKFLOW_EVENT_FAILED", "Workflow not found, or it has ended")
    return Response.json({"ok": True})


def cancel(ctx: RouterContext, call: Call) -> Response:
    (workflow_id,) = call.args
    _workflows(ctx, call).cancel(workflow_id)
    return Response.json({"cancelled": True})


def _workflows(ctx: RouterContext, call: Call) -> Workflows:
    require_admin(call)
    if ctx.workflows is None:
        raise PylonError("NOT_AVAILABLE", "Workflows are not available here.")
    return ctx.workflows


def _object(call: Call) -> dict[str, Any]:
    body = jsontext.decode(call.body)
    if not isinstance(body, dict):
        raise PylonError("INVALID_JSON", "The body must be a JSON object.")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise PylonError("MISSING_FIELD", f'"{name}" is required')
    return value


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(jsontext.encode(value))


ROUTES = (
    Route("GET", "/api/workflows", list_instances),
    Route("GET", "/api/workflows/definitions", list_definitions),
    Route("POST", "/api/workflows/start", start),
    Route("GET", "/api/workflows/<id>", read_instance),
    Route("POST", "/api/workflows/<id>/advance", advance),
    Route("POST", "/api/workflows/<id>/event", send_event),
    Route("POST", "/api/workflows/<id>/cancel", cancel),
)
