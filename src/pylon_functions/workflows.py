"""What functions ask of workflows (``ctx.workflows``): requests that become jobs, checked when they are made.

Pure. The handlers of these jobs check the same again, since a row of the table may be anything.
"""

import re
from typing import TypeVar

import msgspec

from pylon_core.errors import PylonError
from pylon_core.names import name_problem
from pylon_http.jobs import EMPTY

START_JOB = "pylon.workflow.start"
EVENT_JOB = "pylon.workflow.event"
CANCEL_JOB = "pylon.workflow.cancel"

CHILD_PREFIX = "child:"
"""How the waiting for a child begins, so no event may be called so."""
VALUE_BYTES_MAX = 1 << 20
"""Of one value: an input, the output of a step, the data of an event."""

_ID = re.compile(r"wf_[0-9a-f]{16}\Z")
_BAD_ID = "The id of a workflow is wf_ and 16 hex digits in lower case"

R = TypeVar("R")


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


def is_workflow_id(text: str) -> bool:
    return _ID.match(text) is not None


def event_problem(name: str) -> str | None:
    """Why an event cannot be called so."""
    problem = name_problem(name)
    if problem is not None:
        return f"The name of an event {problem}"
    if name.startswith(CHILD_PREFIX):
        return f"The name of an event cannot begin with {CHILD_PREFIX!r}"
    return None


def check_start(workflow_id: str, name: str, given: msgspec.Raw) -> None:
    """Raises WORKFLOW_START_FAILED."""
    problem = name_problem(name)
    if problem is not None:
        raise PylonError("WORKFLOW_START_FAILED", f"The name of a workflow {problem}")
    if not is_workflow_id(workflow_id):
        raise PylonError("WORKFLOW_START_FAILED", _BAD_ID)
    _check_size("WORKFLOW_START_FAILED", given)


def check_event(name: str, data: msgspec.Raw) -> None:
    """Raises WORKFLOW_EVENT_FAILED."""
    problem = event_problem(name)
    if problem is not None:
        raise PylonError("WORKFLOW_EVENT_FAILED", problem)
    _check_size("WORKFLOW_EVENT_FAILED", data)


def check_request(job_name: str, args: msgspec.Raw) -> bool:
    """Whether a job is a request of workflows; raises WORKFLOW_START_FAILED, WORKFLOW_EVENT_FAILED or
    WORKFLOW_CANCEL_FAILED for one that could never be met."""
    if job_name == START_JOB:
        start = _decoded(args, StartRequest, "WORKFLOW_START_FAILED")
        check_start(start.id, start.name, start.input)
    elif job_name == EVENT_JOB:
        event = _decoded(args, EventRequest, "WORKFLOW_EVENT_FAILED")
        check_event(event.event, event.data)
        _check_id(event.id, "WORKFLOW_EVENT_FAILED")
    elif job_name == CANCEL_JOB:
        _check_id(_decoded(args, CancelRequest, "WORKFLOW_CANCEL_FAILED").id, "WORKFLOW_CANCEL_FAILED")
    else:
        return False
    return True


def _decoded(args: msgspec.Raw, kind: type[R], code: str) -> R:
    try:
        return msgspec.json.decode(args, type=kind)
    except msgspec.DecodeError as error:
        raise PylonError(code, "Workflows and events are named by texts") from error


def _check_id(workflow_id: str, code: str) -> None:
    if not is_workflow_id(workflow_id):
        raise PylonError(code, _BAD_ID)


def _check_size(code: str, value: msgspec.Raw) -> None:
    if len(bytes(value)) > VALUE_BYTES_MAX:
        raise PylonError(code, f"A workflow takes values of {VALUE_BYTES_MAX >> 20} MiB at most", status=413)
