"""What functions ask of workflows (``ctx.workflows``): to begin one, to tell it something, to cancel it.

Each is a job, so that it happens if and only if the transaction of the function commits, and at least once; each
may be done twice without harm, but that an event is sent twice. Jobs of one transaction run side by side: what is
asked of a workflow that is not there yet waits for it.
"""

from functools import partial
from typing import TypeVar

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions.workflows import (
    CANCEL_JOB,
    EVENT_JOB,
    START_JOB,
    CancelRequest,
    EventRequest,
    StartRequest,
)
from pylon_runtime.jobs import Attempt, Handlers, Hopeless, TooEarly
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_storage.workflows import JOB_NAME

PATIENCE_MS = 600_000
"""How long a workflow that is not there may yet be begun."""
LOOK_S = 1.0

R = TypeVar("R")


def register(handlers: Handlers, engine: WorkflowEngine, clock: Clock) -> None:
    handlers.register(JOB_NAME, engine.carry_on)
    handlers.register(START_JOB, partial(_start, engine))
    handlers.register(EVENT_JOB, partial(_send, engine, clock))
    handlers.register(CANCEL_JOB, partial(_cancel, engine, clock))


def _start(engine: WorkflowEngine, attempt: Attempt) -> None:
    request = _request(attempt, StartRequest)
    engine.begin(request.id, request.name, request.input)


def _send(engine: WorkflowEngine, clock: Clock, attempt: Attempt) -> None:
    """What is sent to one that is over is dropped."""
    request = _request(attempt, EventRequest)
    if not engine.send(request.id, request.event, request.data) and engine.find(request.id) is None:
        raise _not_there(attempt, clock)


def _cancel(engine: WorkflowEngine, clock: Clock, attempt: Attempt) -> None:
    request = _request(attempt, CancelRequest)
    try:
        engine.cancel(request.id)
    except PylonError as error:
        if error.code == "WORKFLOW_CANCEL_FAILED":
            raise _not_there(attempt, clock) from error
        raise


def _request(attempt: Attempt, kind: type[R]) -> R:
    try:
        return msgspec.json.decode(attempt.job.payload, type=kind)
    except msgspec.DecodeError as error:
        raise Hopeless(f"It asks for nothing that can be done: {error}") from error


def _not_there(attempt: Attempt, clock: Clock) -> Exception:
    if clock.now_ns() // 1_000_000 < attempt.job.created_ms + PATIENCE_MS:
        return TooEarly("Workflow not found", LOOK_S)
    return PylonError("NOT_FOUND", "Workflow not found")
