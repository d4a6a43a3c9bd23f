"""Who makes the passes of a workflow, and the one that is nearest: the app's own functions processes.

A runner answers with decoded JSON of any kind; ``answers.parse_answer`` makes sense of it. Any thread may call.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from pylon_auth.context import ANONYMOUS
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation, OnceScope, Origin
from pylon_functions.registry import FunctionDefinition, FunctionKind, WorkflowOptions
from pylon_http.workflows import WorkflowDefinition, WorkflowInstance, steps_to_wire

_UNKNOWN = frozenset({"FN_NOT_FOUND", "FN_TYPE_MISMATCH"})


class RunnerAway(Exception):  # noqa: N818 - a fact the engine acts on, as are the others
    """The pass was not made; it is to be tried later and counts for nothing. Its text is for the operator."""


class RunnerAbsent(RunnerAway):
    """There is no such runner here, and perhaps there never will be: another may be asked."""


class PassInterrupted(RunnerAway):
    """The runner went away during the pass, perhaps because of it."""


class PassRunner(Protocol):
    def definitions(self) -> Sequence[WorkflowDefinition]:
        """The workflows it is known to have now."""

    def find(self, name: str) -> WorkflowDefinition | None:
        """A workflow it has, or may have; waits for a runner that is just starting. Raises ``RunnerAway``."""

    def make_pass(self, instance: WorkflowInstance, timeout_s: float) -> Any:
        """The runner's answer. Raises ``RunnerAway``."""


class FunctionsRunner:
    """Workflows in the app's functions folder. What a step does by ``runMutation`` happens once for the step."""

    def __init__(self, host: FunctionHost) -> None:
        self._host = host

    def definitions(self) -> Sequence[WorkflowDefinition]:
        return [_definition(function) for function in self._host.workflows()]

    def find(self, name: str) -> WorkflowDefinition | None:
        try:
            return _definition(self._host.find(name, FunctionKind.WORKFLOW, Origin.SERVER))
        except PylonError as error:
            if error.code in _UNKNOWN:
                return None
            raise _away(error) from error

    def make_pass(self, instance: WorkflowInstance, timeout_s: float) -> Any:
        invocation = Invocation(
            name=instance.name,
            kind=FunctionKind.WORKFLOW,
            origin=Origin.SERVER,
            args=request_of(instance),
            auth=ANONYMOUS,
            timeout_s=timeout_s,
            once=OnceScope(f"workflow:{instance.id}", str(instance.current_step)),
        )
        try:
            return msgspec.json.decode(self._host.run(invocation))
        except PylonError as error:
            if error.code == "RUNNER_EXITED":
                raise PassInterrupted(error.message) from error
            if error.status == 503:
                raise _away(error) from error
            return {"action": "fail", "error": f"{error.code}: {error.message}"}


def request_of(instance: WorkflowInstance) -> dict[str, Any]:
    """What a pass is made from (contract 09 §4)."""
    return {
        "workflow_id": instance.id,
        "workflow_name": instance.name,
        "input": instance.input,
        "current_step": instance.current_step,
        "completed_steps": steps_to_wire(instance.steps, lower_case=True),
    }


def _definition(function: FunctionDefinition) -> WorkflowDefinition:
    options = function.options or WorkflowOptions()
    said = {name: value for name, value in msgspec.structs.asdict(options).items() if value is not None}
    return WorkflowDefinition(function.name, **said, is_internal=function.is_internal)


def _away(error: PylonError) -> RunnerAway:
    is_absent = error.code == "FUNCTIONS_NOT_AVAILABLE"
    return RunnerAbsent(error.message) if is_absent else RunnerAway(error.message)


_: type[PassRunner] = FunctionsRunner
