"""Durable workflows in Python: one pass through the function per durable operation (contract 09 §3).

The function runs from its beginning; what has happened already answers at once. The first operation that has not
is done and reported, and the pass ends there by an exception that no ``except Exception`` catches.
"""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from pylon_functions.python.call import Call
from pylon_functions.python.context import Runner, Workflows

T = TypeVar("T")

_DURATION = re.compile(r"\s*(\d{1,9})([smhd]?)\s*\Z")
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SECONDS_MAX = 36_500 * 86_400


class StepRecord(msgspec.Struct, frozen=True):
    name: str
    status: str
    output: Any = None


class PassRequest(msgspec.Struct, frozen=True):
    workflow_id: str
    workflow_name: str
    input: Any
    current_step: int
    completed_steps: Sequence[StepRecord]


class ChildFailedError(Exception):
    """A child workflow failed, or was cancelled."""


class _PassIsOver(BaseException):
    pass


class _StepsWorkflows(Workflows):
    """A step that is tried again begins no second workflow: its n-th of one name has the same id each time."""

    def __init__(self, call: Call, request: PassRequest) -> None:
        super().__init__(call)
        self._place = f"{request.workflow_id}:{request.current_step}"
        self._numbers: Counter[str] = Counter()

    def start(self, name: str, input: Any = None, *, id: str | None = None) -> str:  # noqa: A002 - inherited
        self._numbers[name] += 1
        digest = hashlib.sha256(f"{self._place}:start:{name}:{self._numbers[name]}".encode()).hexdigest()
        return super().start(name, input, id=id or f"wf_{digest[:16]}")


class WorkflowContext(Runner):
    """``id``, ``name`` and ``input`` of the instance, and the durable operations.

    Code between these runs again on each pass, so it must do the same each time: what is random, slow or has
    effects belongs in a step, and so do ``run_query`` and ``run_mutation``.
    """

    def __init__(self, call: Call, request: PassRequest) -> None:
        super().__init__(call)
        self.id = request.workflow_id
        self.name = request.workflow_name
        self.input = request.input
        self._now = request.current_step
        self._records = [step for step in request.completed_steps if step.status in ("completed", "skipped")]
        self._operations = 0
        self._taken = 0
        self._is_in_step = False
        self._workflows = _StepsWorkflows(call, request)
        self.answer: dict[str, Any] | None = None
        """What the pass came to, once it did."""

    def step(self, name: str, run: Callable[[], T]) -> T:
        """Runs once and is remembered; tried again when it raises. Its value must be JSON."""
        record = self._reach(name)
        if record is not None:
            output: T = record.output
            return output
        begun = time.monotonic()
        self._is_in_step = True
        try:
            value = run()
            msgspec.json.encode(value)
        except Exception as error:
            failure = {"action": "fail", "step_name": name, "error": str(error) or type(error).__name__}
            raise self._over(failure) from error
        finally:
            self._is_in_step = False
        duration_ms = round(1000 * (time.monotonic() - begun))
        raise self._over(
            {"action": "step_complete", "step_name": name, "output": value, "duration_ms": duration_ms}
        )

    def sleep(self, duration: str | int) -> None:
        """Go on after ``"30s"``, ``"5m"``, ``"24h"``, ``"7d"``, or whole seconds."""
        seconds = _seconds(duration)
        self._operations += 1
        if self._operations > self._now:
            raise self._over({"action": "sleep", "duration": f"{seconds}s"})

    def wait_for_event(self, event: str, timeout: str | int | None = None) -> Any:
        """What was sent with the event; ``None`` when it did not come in time."""
        limit = {} if timeout is None else {"timeout": f"{_seconds(timeout)}s"}
        record = self._reach(f"event:{event}")
        if record is None:
            raise self._over({"action": "wait_event", "event": event, **limit})
        return None if record.status == "skipped" else record.output

    def child(self, workflow: str, input: Any = None) -> Any:  # noqa: A002 - what it is called everywhere
        """Run another workflow to its end; its output. Raises ``ChildFailedError``."""
        record = self._reach(f"child:{workflow}")
        if record is None:
            raise self._over({"action": "child", "workflow": workflow, "input": {} if input is None else input})
        outcome = record.output
        if outcome["status"] != "Completed":
            raise ChildFailedError(
                f"{workflow} ended as {outcome['status']}: {outcome['error'] or 'no reason given'}"
            )
        return outcome["output"]

    @property
    def workflows(self) -> Workflows:
        """Other workflows, that this one does not wait for."""
        self._check_in_step()
        return self._workflows

    def run_query(self, fn: str, args: Mapping[str, Any] | None = None) -> Any:
        self._check_in_step()
        return super().run_query(fn, args)

    def run_mutation(self, fn: str, args: Mapping[str, Any] | None = None) -> Any:
        """Takes effect once for the step that calls it, however often that is tried."""
        self._check_in_step()
        return super().run_mutation(fn, args)

    def _reach(self, name: str) -> StepRecord | None:
        """The record of an operation that is over; ``None`` for the one that is to happen now."""
        if self.answer is not None:
            raise _PassIsOver
        index = self._operations
        self._operations += 1
        if index >= self._now:
            return None
        record = self._records[self._taken] if self._taken < len(self._records) else None
        self._taken += 1
        if record is None or record.name != name:
            was = "a sleep" if record is None else f'"{record.name}"'
            changed = f'The workflow was changed while it ran: where it had {was}, it now has "{name}"'
            raise self._over({"action": "fail", "error": changed})
        return record

    def _over(self, answer: dict[str, Any]) -> _PassIsOver:
        self.answer = answer
        return _PassIsOver()

    def _check_in_step(self) -> None:
        if not self._is_in_step:
            raise RuntimeError("this belongs inside of a step: outside it would run on each pass")


def run_pass(handler: Callable[[WorkflowContext], Any], call: Call) -> dict[str, Any]:
    """One pass; what to tell the engine."""
    ctx = WorkflowContext(call, msgspec.json.decode(call.frame.args, type=PassRequest))
    try:
        output = handler(ctx)
    except _PassIsOver:
        pass
    except Exception as error:  # noqa: BLE001 - outside of steps the author's code fails the instance
        if ctx.answer is None:
            return {"action": "fail", "error": str(error) or type(error).__name__}
    else:
        if ctx.answer is None:
            return {"action": "complete", "output": output}
    assert ctx.answer is not None
    return ctx.answer


def _seconds(duration: str | int) -> int:
    found = _DURATION.match(str(duration))
    seconds = _SECONDS_MAX + 1 if found is None else int(found[1]) * _UNIT_SECONDS[found[2]]
    if seconds > _SECONDS_MAX:
        raise ValueError(f'{duration!r} is no duration; write whole numbers with s, m, h or d, such as "90s"')
    return seconds
