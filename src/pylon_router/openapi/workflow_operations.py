"""The routes of durable workflows."""

from collections.abc import Mapping
from functools import partial

from pylon_http.workflows import StepStatus, WorkflowStatus
from pylon_router.openapi.operation import Operation, Parameter, for_admin
from pylon_router.openapi.schema import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    YES,
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


_of_admin = partial(for_admin, TAG)


def workflow_operations() -> Mapping[tuple[str, str], Operation]:
    return {
        ("GET", "/api/workflows"): _of_admin(
            "Workflows, newest first.", array(_INSTANCE), query=_PAGE, truncates=True
        ),
        ("GET", "/api/workflows/definitions"): _of_admin("The workflows that there are.", array(_DEFINITION)),
        ("POST", "/api/workflows/start"): _of_admin(
            "Begin a workflow.", whole(id=STRING), status=201, body=_START
        ),
        ("GET", "/api/workflows/<id>"): _of_admin("One workflow.", _INSTANCE),
        ("POST", "/api/workflows/<id>/advance"): _of_admin("Have it go on now.", whole(status=_STATUS)),
        ("POST", "/api/workflows/<id>/event"): _of_admin("Send it an event.", whole(ok=YES), body=_EVENT),
        ("POST", "/api/workflows/<id>/cancel"): _of_admin("End it.", whole(cancelled=YES)),
    }
