"""The routes of durable workflows."""

from collections.abc import Mapping

from pylon_http.workflows import StepStatus, WorkflowStatus
from pylon_router.openapi.operation import Operation, Parameter
from pylon_router.openapi.schema import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    YES,
    Schema,
    array,
    nullable,
    one_of,
    partial_record,
    whole,
)

TAG = "workflows"

_STATUS = one_of(*WorkflowStatus)
_STEP = whole(
    step_id=STRING,
    name=STRING,
    status=one_of(*StepStatus),
    output=ANYTHING,
    error=nullable(STRING),
    started_at=STRING,
    completed_at=STRING,
    duration_ms=nullable(INTEGER),
    retry_count=INTEGER,
)
_INSTANCE = whole(
    id=STRING,
    name=STRING,
    input=ANYTHING,
    status=_STATUS,
    steps=array(_STEP),
    output=ANYTHING,
    error=nullable(STRING),
    created_at=STRING,
    started_at=nullable(STRING),
    completed_at=nullable(STRING),
    wake_at=nullable(INTEGER),
    waiting_for=nullable(STRING),
    current_step=INTEGER,
    max_retries=INTEGER,
    parent_id=nullable(STRING),
    stalled=nullable(STRING),
)
_DEFINITION = whole(
    name=STRING,
    description=STRING,
    file=STRING,
    max_retries=INTEGER,
    step_timeout_secs=NUMBER,
    internal=BOOLEAN,
)
_START = partial_record({"name": STRING, "input": ANYTHING}, ("name",))
_EVENT = partial_record({"event": STRING, "data": ANYTHING, "buffer": BOOLEAN}, ("event",))
_PAGE = (
    Parameter("status", STRING, "Only those of this status: pending, running, sleeping, waiting, completed, ..."),
    Parameter("after", STRING, "Only those behind the one of this id."),
    Parameter("limit", INTEGER, "How many: 100, at most 1000; fewer where they are large."),
)


def workflow_operations() -> Mapping[tuple[str, str], Operation]:
    return {
        ("GET", "/api/workflows"): Operation(
            summary="Workflows, newest first.",
            tag=TAG,
            query=_PAGE,
            answers={200: array(_INSTANCE)},
            truncates=True,
            admin=True,
        ),
        ("GET", "/api/workflows/definitions"): _read("The workflows that can be started.", array(_DEFINITION)),
        ("POST", "/api/workflows/start"): Operation(
            summary="Begin a workflow.",
            tag=TAG,
            body=_START,
            answers={201: whole(id=STRING)},
            admin=True,
        ),
        ("GET", "/api/workflows/<id>"): _read("One workflow.", _INSTANCE),
        ("POST", "/api/workflows/<id>/advance"): _act("Have it go on now.", whole(status=_STATUS)),
        ("POST", "/api/workflows/<id>/event"): _act("Send it an event.", whole(ok=YES), _EVENT),
        ("POST", "/api/workflows/<id>/cancel"): _act("End it.", whole(cancelled=YES)),
    }


def _read(summary: str, answer: Schema) -> Operation:
    return Operation(summary=summary, tag=TAG, answers={200: answer}, admin=True)


def _act(summary: str, answer: Schema, body: Schema | None = None) -> Operation:
    return Operation(summary=summary, tag=TAG, body=body, answers={200: answer}, admin=True)
