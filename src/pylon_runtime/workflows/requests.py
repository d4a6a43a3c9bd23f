"""What functions ask of workflows (``ctx.workflows``): to begin one, to tell it something, to cancel it.

Each is a job, so that it happens if and only if the transaction of the function commits, and at least once; each
may be done twice without harm, but that an event is sent twice. Jobs of one transaction run side by side: what is
asked of a workflow that is not there yet waits for it.
"""

from functools import partial

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http.jobs import EMPTY
from pylon_runtime.jobs import Attempt, Handlers, TooEarly
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_runtime.workflows.machine import CANCEL_JOB
from pylon_storage.workflows import JOB_NAME

START_JOB = "pylon.workflow.start"
EVENT_JOB = "pylon.workflow.event"

PATIENCE_MS = 600_000
"""How long a workflow that is not there may yet be begun."""
LOOK_S = 1.0


class StartRequest(msgspec.Struct, frozen=True):
    id: str
    name: str
    input: msgspec.Raw = EMPTY


class EventRequest(msgspec.Struct, frozen=True):
    id: str
    event: str
    data: msgspec.Raw = EMPTY


class CancelRequest(msgspec.Struct, frozen=True):
    id: str


def register(handlers: Handlers, engine: WorkflowEngine, clock: Clock) -> None:
    handlers.register(JOB_NAME, engine.carry_on)
    handlers.register(START_JOB, partial(_start, engine))
    handlers.register(EVENT_JOB, partial(_send, engine, clock))
    handlers.register(CANCEL_JOB, partial(_cancel, engine, clock))


def _start(engine: WorkflowEngine, attempt: Attempt) -> None:
    request = msgspec.json.decode(attempt.job.payload, type=StartRequest)
    engine.begin(request.id, request.name, request.input)


def _send(engine: WorkflowEngine, clock: Clock, attempt: Attempt) -> None:
    """What is sent to one that is over is dropped."""
    request = msgspec.json.decode(attempt.job.payload, type=EventRequest)
    if not engine.send(request.id, request.event, request.data) and engine.find(request.id) is None:
        raise _not_there(attempt, clock)


def _cancel(engine: WorkflowEngine, clock: Clock, attempt: Attempt) -> None:
    request = msgspec.json.decode(attempt.job.payload, type=CancelRequest)
    try:
        engine.cancel(request.id)
    except PylonError as error:
        if error.code == "WORKFLOW_CANCEL_FAILED":
            raise _not_there(attempt, clock) from error
        raise


def _not_there(attempt: Attempt, clock: Clock) -> Exception:
    if clock.now_ns() // 1_000_000 < attempt.job.created_ms + PATIENCE_MS:
        return TooEarly("Workflow not found", LOOK_S)
    return PylonError("NOT_FOUND", "Workflow not found")
