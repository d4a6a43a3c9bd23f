"""The workflow engine: starts instances, drives them from pass to pass, ends them (contract 09 §8.1).

An instance that can go on has a job; whichever server claims that makes one pass after the other until the
instance rests: asleep, waiting, pausing after a failure, stalled for want of a runner, or at its end. A transition
counts only while the claim holds and the instance is still what the pass was made from, so a cancellation or a
faster server wins.

Any thread may call any method; nothing is shared but the store.
"""

import time
from collections.abc import Callable, Sequence

import msgspec
import structlog
from msgspec.structs import replace

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions.workflows import check_event, check_start, is_workflow_id
from pylon_http import JobLost
from pylon_http.jobs import JobClaim
from pylon_http.workflows import (
    SentEvent,
    StepStatus,
    Transition,
    WorkflowDefinition,
    WorkflowEvent,
    WorkflowInstance,
    WorkflowPage,
    WorkflowStatus,
    WorkflowStore,
)
from pylon_runtime.jobs import Attempt, Hopeless, NotNow
from pylon_runtime.workflows import machine
from pylon_runtime.workflows.answers import (
    Answer,
    Fail,
    RunChild,
    parse_answer,
)
from pylon_runtime.workflows.runners import PassInterrupted, PassRunner, RunnerAbsent, RunnerAway

INTERRUPTIONS_MAX = 3
"""How often in a row a server or a functions process may go away during a pass before that counts as a failure."""
UNKNOWN_MS = 600_000
"""How long an instance that never began waits for a server that has its workflow. One that began waits on."""
STEPS_MAX = 1_000
HISTORY_BYTES_MAX = 16 << 20
DEPTH_MAX = 32
"""Of an instance that has no parent and the child of a child of its child, and so on, the last is the 33rd."""
SHARE_S = 20.0
"""How long one job goes on with an instance that does not rest."""
AGAIN_S = 1
"""When to ask again for a workflow of which it is not known whether there is one."""
ADVANCE_S = 30.0
ADVANCE_PAUSE_S = 0.02
"""Between two looks at an instance that somebody wants to see going on."""
DATABASE_S = 2.0
"""Until an instance is tried again for which the database had no time."""

_UNSETTLED = frozenset({"NOT_AVAILABLE", "CONFLICT", "COMMIT_FAILED"})

_log = structlog.get_logger("pylon.workflows")


class WorkflowEngine:
    """``runners``: the first that has a workflow runs it. ``random_bytes`` makes the ids."""

    def __init__(
        self,
        store: WorkflowStore,
        runners: Sequence[PassRunner],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._runners = runners
        self._pause = pause
        self._clock = clock
        self._random_bytes = random_bytes

    def definitions(self) -> list[WorkflowDefinition]:
        """By name; of two with one name the first runner's."""
        found = self._defined()
        return [found[name] for name in sorted(found)]

    def start(self, name: str, given: msgspec.Raw) -> str:
        """Begin an instance for somebody outside; its id. Raises PylonError WORKFLOW_START_FAILED for a workflow
        that nobody has, or that is internal."""
        workflow_id = f"wf_{self._random_bytes(8).hex()}"
        check_start(workflow_id, name, given)
        self._check_had(name)
        self.begin(workflow_id, name, given)
        return workflow_id

    def begin(self, workflow_id: str, name: str, given: msgspec.Raw) -> None:
        """Begin the instance of that id, unless it was begun before. If nobody has the workflow, it will fail."""
        check_start(workflow_id, name, given)
        instance = WorkflowInstance(
            id=workflow_id,
            name=name,
            input=given,
            created_ms=self._now_ms(),
            max_retries=self._max_retries(name),
        )
        self._store.start(instance)

    def find(self, workflow_id: str) -> WorkflowInstance | None:
        return self._store.load(workflow_id) if is_workflow_id(workflow_id) else None

    def page(self, status: WorkflowStatus | None, after: str | None, limit: int) -> WorkflowPage:
        if after is not None and not is_workflow_id(after):
            return WorkflowPage((), has_more=False)
        return self._store.page(status, after, limit)

    def send(self, workflow_id: str, name: str, data: msgspec.Raw) -> bool:
        """Send an event, which is kept until the instance waits for it; false when there is no such instance, or
        it is over."""
        check_event(name, data)
        return is_workflow_id(workflow_id) and self._store.send(SentEvent(workflow_id, name, data))

    def deliver(self, workflow_id: str, name: str, data: msgspec.Raw) -> None:
        """Send an event to an instance that waits for it now. Raises PylonError WORKFLOW_EVENT_FAILED for any
        other."""
        check_event(name, data)
        now_ms = self._now_ms()

        def decide(instance: WorkflowInstance, _events: Sequence[WorkflowEvent]) -> Transition | None:
            if instance.waiting_for is None:
                raise PylonError("WORKFLOW_EVENT_FAILED", "Workflow is not waiting for an event")
            if instance.waiting_for != name:
                message = f"Workflow is waiting for '{instance.waiting_for}', not '{name}'"
                raise PylonError("WORKFLOW_EVENT_FAILED", message)
            return machine.woken(instance, (WorkflowEvent(0, name, data),), now_ms)

        if not is_workflow_id(workflow_id) or self._store.change(workflow_id, decide) is None:
            raise PylonError("WORKFLOW_EVENT_FAILED", "Workflow not found")

    def cancel(self, workflow_id: str) -> None:
        """End an instance, and soon the child it waits for; one that is over stays as it is. Raises PylonError
        WORKFLOW_CANCEL_FAILED when there is none."""
        now_ms = self._now_ms()
        is_there = is_workflow_id(workflow_id) and self._store.change(
            workflow_id, lambda instance, _: machine.cancelled(instance, now_ms)
        )
        if not is_there:
            raise PylonError("WORKFLOW_CANCEL_FAILED", "Workflow not found")

    def advance(self, workflow_id: str) -> WorkflowStatus:
        """Have an instance go on now, and wait until it has; its status then, or after half a minute.

        Raises PylonError WORKFLOW_ADVANCE_FAILED when there is none, or nobody could make the pass.
        """
        deadline = self._clock.monotonic() + ADVANCE_S
        before = after = self._found(workflow_id)
        if not before.status.is_under_way and machine.woken(before, (), self._now_ms()) is None:
            return before.status
        self._store.nudge(workflow_id)
        while after.version == before.version and self._clock.monotonic() < deadline:
            with blocking():
                self._pause(ADVANCE_PAUSE_S)
            after = self._found(workflow_id)
        if after.stalled is not None:
            raise PylonError("WORKFLOW_ADVANCE_FAILED", after.stalled)
        return after.status

    def carry_on(self, attempt: Attempt) -> None:
        """Handle a job: make passes until the instance rests, which settles the job.

        Raises ``NotNow`` while the database has no time, ``JobLost`` when another server has taken over.
        """
        try:
            attempt.is_completed = self._drive(attempt)
        except PylonError as error:
            if error.code in _UNSETTLED and type(error) is not JobLost:
                raise NotNow(error.code, DATABASE_S) from error
            raise

    def _drive(self, attempt: Attempt) -> bool:
        """Whether there is such an instance."""
        workflow_id = _carried(attempt)
        claim, interruptions = attempt.claim, attempt.job.retry_count
        made = self._wake(workflow_id, claim)
        if made is not None and made.goes_on and interruptions >= INTERRUPTIONS_MAX:
            interrupted = Fail(f"The server went away {interruptions} times in the middle of this")
            made = self._apply(made.instance, interrupted, claim)
        until = self._clock.monotonic() + SHARE_S
        while made is not None and made.goes_on:
            if self._clock.monotonic() >= until:
                made = self._put_off(workflow_id, claim)
            else:
                made = self._pass(made.instance, attempt)
        return made is not None

    def _pass(self, instance: WorkflowInstance, attempt: Attempt) -> Transition | None:
        try:
            answer = self._answer(instance, attempt)
        except PassInterrupted as interrupted:
            if instance.stalls < INTERRUPTIONS_MAX:
                return self._stall(instance, str(interrupted), attempt.claim)
            answer = Fail(str(interrupted))
        except RunnerAway as away:
            return self._stall(instance, str(away), attempt.claim)
        return self._apply(instance, answer, attempt.claim)

    def _answer(self, instance: WorkflowInstance, attempt: Attempt) -> Answer:
        """What the first runner that has the workflow says. Raises ``RunnerAway``."""
        if _operations(instance) > STEPS_MAX:  # that many are allowed; what comes after the last may be its end
            return Fail(f"A workflow has at most {STEPS_MAX} steps; begin a child for the rest")
        if sum(len(bytes(step.output)) for step in instance.steps) > HISTORY_BYTES_MAX:
            return Fail(f"The outputs of all steps are more than {HISTORY_BYTES_MAX >> 20} MiB")
        absent: RunnerAbsent | None = None
        for runner in self._runners:
            try:
                definition = runner.find(instance.name)
            except RunnerAbsent as nobody:
                absent = nobody
                continue
            if definition is not None:
                timeout_s = definition.step_timeout_secs
                attempt.deadline = max(attempt.deadline, self._clock.monotonic() + timeout_s)
                return self._allowed(instance, parse_answer(runner.make_pass(instance, timeout_s)))
        if absent is not None:
            raise absent
        if instance.started_ms is None and self._now_ms() > instance.created_ms + UNKNOWN_MS:
            return Fail(_not_registered(instance.name))
        raise RunnerAway(_not_registered(instance.name))  # another server may have it, as while all are replaced

    def _wake(self, workflow_id: str, claim: JobClaim) -> Transition | None:
        """The instance as time and events have made it; ``None`` when there is none."""
        now_ms = self._now_ms()

        def decide(instance: WorkflowInstance, events: Sequence[WorkflowEvent]) -> Transition:
            return machine.woken(instance, events, now_ms) or machine.unchanged(instance)

        return self._store.change(workflow_id, decide, claim)

    def _put_off(self, workflow_id: str, claim: JobClaim) -> Transition | None:
        """Let other jobs have their turn."""
        now_ms = self._now_ms()
        return self._store.change(
            workflow_id, lambda instance, _: replace(machine.unchanged(instance), resume_ms=now_ms), claim
        )

    def _stall(self, made_from: WorkflowInstance, reason: str, claim: JobClaim) -> Transition | None:
        if made_from.stalls == 0:
            _log.warning("workflow_stalled", workflow_id=made_from.id, name=made_from.name, reason=reason)
        return self._move(made_from, lambda instance, _, now_ms: machine.stalled(instance, reason, now_ms), claim)

    def _apply(self, made_from: WorkflowInstance, answer: Answer, claim: JobClaim) -> Transition | None:
        made = self._move(
            made_from,
            lambda instance, events, now_ms: machine.answered(instance, answer, events, now_ms),
            claim,
        )
        if made is not None and made.instance.status is WorkflowStatus.FAILED:
            _log.warning(
                "workflow_failed", workflow_id=made_from.id, name=made_from.name, error=made.instance.error
            )
        return made

    def _move(
        self,
        made_from: WorkflowInstance,
        step: Callable[[WorkflowInstance, Sequence[WorkflowEvent], int], Transition],
        claim: JobClaim,
    ) -> Transition | None:
        """Make a transition of an instance; if it has moved on since, none."""
        now_ms = self._now_ms()

        def decide(instance: WorkflowInstance, events: Sequence[WorkflowEvent]) -> Transition:
            is_same = instance.version == made_from.version
            return step(instance, events, now_ms) if is_same else machine.unchanged(instance)

        return self._store.change(made_from.id, decide, claim)

    def _found(self, workflow_id: str) -> WorkflowInstance:
        instance = self.find(workflow_id)
        if instance is None:
            raise PylonError("WORKFLOW_ADVANCE_FAILED", "Workflow not found")
        return instance

    def _check_had(self, name: str) -> None:
        """Raises WORKFLOW_START_FAILED: 400 when nobody has the workflow, or it is internal; 503 while that cannot
        be known."""
        away: RunnerAbsent | None = None
        is_internal = False  # then the others are asked all the same: the answer is that for an unknown one
        for runner in self._runners:
            try:
                definition = runner.find(name)
                is_internal = is_internal or (definition is not None and definition.is_internal)
                if definition is not None and not is_internal:
                    return
            except RunnerAbsent as absent:
                away = absent
            except RunnerAway as starting:
                raise _unknowable(starting) from starting
        if away is not None:
            raise _unknowable(away) from away
        raise PylonError("WORKFLOW_START_FAILED", _not_registered(name))

    def _allowed(self, parent: WorkflowInstance, answer: Answer) -> Answer:
        """The answer as it may be, with what is known of the child that it asks for."""
        if not isinstance(answer, RunChild):
            return answer
        if parent.parent_id is not None and self._store.depth(parent.id, DEPTH_MAX) >= DEPTH_MAX:
            return Fail(
                f"Workflows wait for each other {DEPTH_MAX} deep at most; hand over by ctx.workflows.start"
            )
        return replace(answer, max_retries=self._max_retries(answer.workflow))

    def _max_retries(self, name: str) -> int:
        return self._defined().get(name, WorkflowDefinition(name)).max_retries

    def _defined(self) -> dict[str, WorkflowDefinition]:
        return {
            definition.name: definition
            for runner in reversed(self._runners)
            for definition in runner.definitions()
        }

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _not_registered(name: str) -> str:
    return f"Workflow '{name}' not registered"


def _unknowable(away: RunnerAway) -> PylonError:
    return PylonError("WORKFLOW_START_FAILED", str(away), status=503, details={"retry_after_secs": AGAIN_S})


def _operations(instance: WorkflowInstance) -> int:
    """How much has happened in an instance: what is behind it, sleeps too, and what failed on the way."""
    return instance.current_step + sum(step.status is StepStatus.FAILED for step in instance.steps)


def _carried(attempt: Attempt) -> str:
    """The id of the instance that a job carries on. Raises ``Hopeless``."""
    try:
        return msgspec.json.decode(attempt.job.payload, type=_Carried).id
    except msgspec.DecodeError as error:
        raise Hopeless("It names no workflow") from error


class _Carried(msgspec.Struct, frozen=True):
    id: str
