"""Durable workflows as values, and what the engine asks of the place where they are kept (contract 09 §5, §8).

An instance is a function that has run up to some point, told by what happened on the way: ``steps``, and how many
durable operations it has behind it. Each transition is one transaction: the instance, the records it adds, the
events it takes, and the job that will carry the instance on.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from pylon_core.clock import seconds_text
from pylon_http.jobs import JobClaim, NewJob

NULL = msgspec.Raw(b"null")
JOB_KEYS = "workflow:"
"""How the unique keys of the jobs begin that carry instances on; nobody else's do."""


class WorkflowStatus(enum.StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SLEEPING = "Sleeping"
    WAITING = "WaitingForEvent"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        return self in (WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, WorkflowStatus.CANCELLED)

    @property
    def is_under_way(self) -> bool:
        """A pass can be made now."""
        return self in (WorkflowStatus.PENDING, WorkflowStatus.RUNNING)


class StepStatus(enum.StrEnum):
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    """An event that did not come in time."""


class WorkflowDefinition(msgspec.Struct, frozen=True):
    """What is known of a workflow before it runs. ``file`` is empty for one that an outside runner has. An
    internal one is begun by the app's functions alone."""

    name: str
    description: str = ""
    file: str = ""
    max_retries: int = 3
    step_timeout_secs: float = 60
    is_internal: bool = msgspec.field(name="internal", default=False)


class WorkflowStep(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the history: an attempt at a step, an event that came, a child that ended."""

    name: str
    status: StepStatus
    recorded_ms: int
    output: msgspec.Raw = NULL
    error: str | None = None
    duration_ms: int | None = None
    retry_count: int = 0
    """The number of the attempt, from 1, where it failed."""


class WorkflowInstance(msgspec.Struct, frozen=True, kw_only=True):
    """Times are milliseconds since the Unix epoch. ``version`` counts transitions."""

    id: str
    name: str
    input: msgspec.Raw
    status: WorkflowStatus = WorkflowStatus.PENDING
    steps: tuple[WorkflowStep, ...] = ()
    output: msgspec.Raw = NULL
    error: str | None = None
    created_ms: int
    started_ms: int | None = None
    completed_ms: int | None = None
    wake_ms: int | None = None
    """When a sleep is over, or the wait for an event."""
    waiting_for: str | None = None
    current_step: int = 0
    max_retries: int = 3
    parent_id: str | None = None
    stalled: str | None = None
    """Why the next pass cannot be made, while it cannot."""
    stalls: int = 0
    """How often in a row that was so."""
    version: int = 0


class WorkflowEvent(msgspec.Struct, frozen=True):
    """An event that was sent to an instance and not taken yet; ``number`` tells them apart and orders them."""

    number: int
    name: str
    data: msgspec.Raw


class SentEvent(msgspec.Struct, frozen=True):
    workflow_id: str
    name: str
    data: msgspec.Raw


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """From one state of an instance to the next.

    ``resume_ms`` is when the engine is to go on with it; ``None`` leaves that to an event, or to whoever makes the
    transition. ``sent`` goes to other instances, ``children`` begin, ``jobs`` are enqueued.
    """

    instance: WorkflowInstance
    records: tuple[WorkflowStep, ...] = ()
    taken: tuple[int, ...] = ()
    resume_ms: int | None = None
    sent: tuple[SentEvent, ...] = ()
    children: tuple[WorkflowInstance, ...] = ()
    jobs: tuple[NewJob, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whoever makes the transition can make the next pass."""
        return self.resume_ms is None and self.instance.status.is_under_way


class WorkflowPage(msgspec.Struct, frozen=True):
    instances: Sequence[WorkflowInstance]
    has_more: bool


Decide = Callable[[WorkflowInstance, Sequence[WorkflowEvent]], Transition | None]
"""What to make of an instance and the events that wait for it; ``None``: nothing. Pure, since it may be asked
again; may raise to refuse."""


class WorkflowStore(Protocol):
    """The instances of one database. Any thread may call any method; writes are durable when they return."""

    def start(self, instance: WorkflowInstance) -> bool:
        """Keep a new instance, and have the engine begin it; false when there is one of that id already."""

    def load(self, workflow_id: str) -> WorkflowInstance | None: ...

    def page(self, status: WorkflowStatus | None, after: str | None, limit: int) -> WorkflowPage:
        """Newest first, those behind ``after``: at most so many, and fewer where they are large."""

    def depth(self, workflow_id: str, most: int) -> int:
        """How many instances wait for this one, each for the next; no more than ``most`` are counted."""

    def change(self, workflow_id: str, decide: Decide, claim: JobClaim | None = None) -> Transition | None:
        """Make a transition in one transaction, and tell it; ``None`` when there is no such instance.

        With a ``claim``, only while it holds (``JobLost``). Its job is kept when the caller goes on with the
        instance, waits until ``resume_ms``, and is completed when an event is waited for or nothing is to come.
        """

    def send(self, event: SentEvent) -> bool:
        """Keep an event for an instance until it waits for it, and wake that; false when there is none, or it is
        over."""

    def nudge(self, workflow_id: str) -> None:
        """Have the engine look at an instance now."""

    def forget(self, ended_before_ms: int, limit: int) -> int:
        """Remove instances that ended before that, at most so many; how many."""


def instance_to_wire(instance: WorkflowInstance) -> dict[str, Any]:
    """Contract 09 §5.1; every key is always there."""
    return {
        "id": instance.id,
        "name": instance.name,
        "input": instance.input,
        "status": instance.status,
        "steps": steps_to_wire(instance.steps),
        "output": instance.output,
        "error": instance.error,
        "created_at": seconds_text(instance.created_ms),
        "started_at": seconds_text(instance.started_ms),
        "completed_at": seconds_text(instance.completed_ms),
        "wake_at": None if instance.wake_ms is None else instance.wake_ms // 1000,
        "waiting_for": instance.waiting_for,
        "current_step": instance.current_step,
        "max_retries": instance.max_retries,
        "parent_id": instance.parent_id,
        "stalled": instance.stalled,
    }


def steps_to_wire(steps: Sequence[WorkflowStep], *, lower_case: bool = False) -> list[dict[str, Any]]:
    """Contract 09 §5.2; a runner wants its statuses in lower case."""
    return [_step_to_wire(f"step_{index}", step, lower_case=lower_case) for index, step in enumerate(steps)]


def _step_to_wire(step_id: str, step: WorkflowStep, *, lower_case: bool) -> dict[str, Any]:
    recorded = seconds_text(step.recorded_ms)
    return {
        "step_id": step_id,
        "name": step.name,
        "status": step.status.lower() if lower_case else step.status,
        "output": step.output,
        "error": step.error,
        "started_at": recorded,
        "completed_at": recorded,
        "duration_ms": step.duration_ms,
        "retry_count": step.retry_count,
    }
