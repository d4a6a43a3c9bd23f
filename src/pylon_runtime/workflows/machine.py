"""The transitions of a workflow (contract 09 §5.4, §6). Pure: an instance and what happened in, a ``Transition``
out.

    Pending, Running --step_complete--> Running          --sleep--> Sleeping       --wait_event--> WaitingForEvent
                     --complete--> Completed              --fail, none left--> Failed
                     --nobody can make a pass--> as before, tried later
    Sleeping --its time--> Running     WaitingForEvent --the event, or its time--> Running
    any that is not over --cancel--> Cancelled

An event that came before it is waited for is taken when it is. A child is waited for like an event that only its
end can send.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from pylon_functions.workflows import CANCEL_JOB, CHILD_PREFIX
from pylon_http.jobs import NewJob
from pylon_http.workflows import (
    NULL,
    SentEvent,
    StepStatus,
    Transition,
    WorkflowEvent,
    WorkflowInstance,
    WorkflowStatus,
    WorkflowStep,
)
from pylon_runtime.workflows.answers import (
    Answer,
    Complete,
    Fail,
    RunChild,
    Sleep,
    StepComplete,
    UnknownAction,
    WaitForEvent,
)

RETRY_FIRST_MS = 1_000
RETRY_MAX_MS = 300_000
STALL_MAX_MS = 60_000

_encoder = msgspec.json.Encoder()


def answered(before: WorkflowInstance, answer: Answer, events: Sequence[WorkflowEvent], now_ms: int) -> Transition:
    """What a runner's answer does."""
    started_ms = before.started_ms or now_ms
    instance = replace(before, started_ms=started_ms, stalled=None, stalls=0, version=before.version + 1)
    match answer:
        case StepComplete():
            return _step_completed(instance, answer, now_ms)
        case Sleep(seconds):
            return _asleep(instance, now_ms + 1000 * seconds)
        case WaitForEvent(event, timeout_s):
            wake_ms = None if timeout_s is None else now_ms + 1000 * timeout_s
            return _waiting(instance, event, wake_ms, events, now_ms)
        case RunChild():
            return _with_child(instance, answer, now_ms)
        case Complete(output):
            return _ended(instance, WorkflowStatus.COMPLETED, now_ms, output=output)
        case Fail(error, step_name):
            return _failed(instance, step_name, error, now_ms)
        case UnknownAction(action):
            return stalled(replace(before, started_ms=started_ms), f"Unknown action: {action[:100]}", now_ms)


def stalled(before: WorkflowInstance, reason: str, now_ms: int) -> Transition:
    """The pass could not be made, for no fault of the workflow's."""
    instance = replace(before, stalled=reason, stalls=before.stalls + 1, version=before.version + 1)
    return Transition(instance=instance, resume_ms=now_ms + _pause_ms(instance, before.stalls, STALL_MAX_MS))


def unchanged(instance: WorkflowInstance) -> Transition:
    return Transition(instance=instance, resume_ms=instance.wake_ms)


def woken(before: WorkflowInstance, events: Sequence[WorkflowEvent], now_ms: int) -> Transition | None:
    """What time and events do to an instance that sleeps or waits; ``None`` while it must go on doing so."""
    instance = replace(before, version=before.version + 1)
    if before.status is WorkflowStatus.SLEEPING and (before.wake_ms or 0) <= now_ms:
        return Transition(instance=replace(instance, status=WorkflowStatus.RUNNING, wake_ms=None))
    if before.status is not WorkflowStatus.WAITING or before.waiting_for is None:
        return None
    event = _first(events, before.waiting_for)
    if event is not None:
        return _received(instance, event, now_ms)
    if before.wake_ms is not None and before.wake_ms <= now_ms:
        return _recorded(instance, f"event:{before.waiting_for}", StepStatus.SKIPPED, NULL, now_ms)
    return None


def cancelled(before: WorkflowInstance, now_ms: int) -> Transition | None:
    """Its end, and soon that of the child it waits for; ``None`` for one that is over already."""
    if before.status.is_final:
        return None
    instance = replace(before, version=before.version + 1)
    ended = _ended(instance, WorkflowStatus.CANCELLED, now_ms)
    child = _awaited_child(before)
    return ended if child is None else replace(ended, jobs=(_cancelling(child),))


def child_id(parent: WorkflowInstance) -> str:
    """The same each time the parent comes to this point, so that a child never begins twice."""
    digest = hashlib.sha256(f"{parent.id}:{parent.current_step}".encode()).hexdigest()
    return f"wf_{digest[:16]}"


def _awaited_child(instance: WorkflowInstance) -> str | None:
    """The id of the child that an instance waits for."""
    waiting_for = instance.waiting_for or ""
    return waiting_for.rpartition(":")[2] if waiting_for.startswith(CHILD_PREFIX) else None


def _cancelling(workflow_id: str) -> NewJob:
    return NewJob(name=CANCEL_JOB, payload=msgspec.Raw(_encoder.encode({"id": workflow_id})))


def _step_completed(instance: WorkflowInstance, answer: StepComplete, now_ms: int) -> Transition:
    step = WorkflowStep(
        name=answer.step_name,
        status=StepStatus.COMPLETED,
        recorded_ms=now_ms,
        output=answer.output,
        duration_ms=answer.duration_ms,
    )
    return _passed(instance, step)


def _asleep(instance: WorkflowInstance, wake_ms: int) -> Transition:
    after = replace(
        instance, status=WorkflowStatus.SLEEPING, wake_ms=wake_ms, current_step=instance.current_step + 1
    )
    return Transition(instance=after, resume_ms=wake_ms)


def _waiting(
    instance: WorkflowInstance, name: str, wake_ms: int | None, events: Sequence[WorkflowEvent], now_ms: int
) -> Transition:
    waiting = replace(instance, status=WorkflowStatus.WAITING, waiting_for=name, wake_ms=wake_ms)
    event = _first(events, name)
    if event is not None:
        return _received(waiting, event, now_ms)
    return Transition(instance=waiting, resume_ms=wake_ms)


def _with_child(parent: WorkflowInstance, wanted: RunChild, now_ms: int) -> Transition:
    child = WorkflowInstance(
        id=child_id(parent),
        name=wanted.workflow,
        input=wanted.input,
        created_ms=now_ms,
        parent_id=parent.id,
        max_retries=wanted.max_retries,
    )
    waiting = replace(parent, status=WorkflowStatus.WAITING, waiting_for=_end_of(child))
    return Transition(instance=waiting, children=(child,))


def _failed(instance: WorkflowInstance, step_name: str, error: str, now_ms: int) -> Transition:
    failures = sum(step.name == step_name and step.status is StepStatus.FAILED for step in instance.steps)
    if failures >= instance.max_retries:
        return _ended(instance, WorkflowStatus.FAILED, now_ms, error=error)
    step = WorkflowStep(
        name=step_name, status=StepStatus.FAILED, recorded_ms=now_ms, error=error, retry_count=failures + 1
    )
    running = replace(instance, status=WorkflowStatus.RUNNING, steps=(*instance.steps, step))
    pause_ms = _pause_ms(instance, failures, RETRY_MAX_MS)
    return Transition(instance=running, records=(step,), resume_ms=now_ms + pause_ms)


def _received(instance: WorkflowInstance, event: WorkflowEvent, now_ms: int) -> Transition:
    is_child = event.name.startswith(CHILD_PREFIX)
    name = event.name.rpartition(":")[0] if is_child else f"event:{event.name}"
    recorded = _recorded(instance, name, StepStatus.COMPLETED, event.data, now_ms)
    return replace(recorded, taken=(event.number,))


def _recorded(
    instance: WorkflowInstance, name: str, status: StepStatus, output: msgspec.Raw, now_ms: int
) -> Transition:
    return _passed(instance, WorkflowStep(name=name, status=status, recorded_ms=now_ms, output=output))


def _passed(instance: WorkflowInstance, step: WorkflowStep) -> Transition:
    """One durable operation more is behind the instance."""
    after = replace(
        instance,
        status=WorkflowStatus.RUNNING,
        steps=(*instance.steps, step),
        current_step=instance.current_step + 1,
        waiting_for=None,
        wake_ms=None,
    )
    return Transition(instance=after, records=(step,))


def _ended(
    instance: WorkflowInstance,
    status: WorkflowStatus,
    now_ms: int,
    *,
    output: msgspec.Raw = NULL,
    error: str | None = None,
) -> Transition:
    after = replace(
        instance,
        status=status,
        output=output,
        error=error,
        completed_ms=now_ms,
        wake_ms=None,
        waiting_for=None,
    )
    return Transition(instance=after, sent=_news_for_parent(after))


def _news_for_parent(instance: WorkflowInstance) -> tuple[SentEvent, ...]:
    if instance.parent_id is None:
        return ()
    outcome = {"status": instance.status, "output": instance.output, "error": instance.error}
    return (SentEvent(instance.parent_id, _end_of(instance), msgspec.Raw(_encoder.encode(outcome))),)


def _end_of(child: WorkflowInstance) -> str:
    """The event that is the end of a child."""
    return f"{CHILD_PREFIX}{child.name}:{child.id}"


def _first(events: Sequence[WorkflowEvent], name: str) -> WorkflowEvent | None:
    return next((event for event in events if event.name == name), None)


def _pause_ms(instance: WorkflowInstance, failures: int, longest_ms: int) -> int:
    """Growing, and not the same for all that failed together."""
    digest = hashlib.sha256(f"{instance.id}:{instance.version}".encode()).digest()
    share = 0.5 + digest[0] / 512
    return int(share * min(longest_ms, RETRY_FIRST_MS * 2 ** min(failures, 30)))
