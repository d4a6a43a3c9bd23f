"""The ``WorkflowStore`` in the application's own database, on either engine. Any thread may call it.

Each transition is one serializable transaction, and so is the sending of an event: of an instance that begins to
wait and an event that comes at the same time, one sees the other. What carries an instance on is a job with the
instance's own unique key, so at most one pass of it is under way. The job waits while the instance sleeps.
"""

import msgspec

from pylon_core.clock import Clock
from pylon_http import DataError
from pylon_http.jobs import JobClaim, NewJob, error_text
from pylon_http.workflows import (
    JOB_KEYS,
    Decide,
    SentEvent,
    Transition,
    WorkflowInstance,
    WorkflowPage,
    WorkflowStatus,
    WorkflowStep,
    WorkflowStore,
)
from pylon_storage.jobs import transitions as jobs
from pylon_storage.statements import Statements, Tables, TableStatements
from pylon_storage.workflows import reading
from pylon_storage.workflows.schema import ENDED

JOB_NAME = "pylon.workflow"
QUEUE = "workflows"
ALWAYS_AGAIN = 1_000_000
"""Retries of the job of an instance, which must never die while the instance lives."""
EVENTS_MAX = 1_000
"""Events that one instance may have waiting; more are refused."""

_MARKS = ", ".join("?" * 18)
_ADD = (
    f"INSERT INTO _pylon_workflows ({reading.COLUMNS}, size) VALUES ({_MARKS})"
    " ON CONFLICT (id) DO NOTHING RETURNING id"
)
_SAVE = (
    "UPDATE _pylon_workflows SET status = ?, output = ?, error = ?, started_ms = ?, completed_ms = ?, wake_ms = ?,"
    " waiting_for = ?, current_step = ?, stalled = ?, stalls = ?, version = ?, size = size + ? WHERE id = ?"
)
_ADD_STEP = (
    f"INSERT INTO _pylon_workflow_steps (workflow_id, step_index, {reading.STEP_COLUMNS})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_EVENT = "INSERT INTO _pylon_workflow_events (workflow_id, name, data) VALUES (?, ?, ?)"
_TAKE_EVENT = "DELETE FROM _pylon_workflow_events WHERE number = ?"
_COUNT_EVENTS = "SELECT count(*) FROM _pylon_workflow_events WHERE workflow_id = ?"
_STATUS = "SELECT status FROM _pylon_workflows WHERE id = ?"
_ENDED_IDS = (
    f"SELECT id FROM _pylon_workflows WHERE {ENDED} AND completed_ms < ? ORDER BY completed_ms, id LIMIT ?"
)
_FORGET = (
    "DELETE FROM _pylon_workflow_events WHERE workflow_id IN ({marks})",
    "DELETE FROM _pylon_workflow_steps WHERE workflow_id IN ({marks})",
    "DELETE FROM _pylon_workflows WHERE id IN ({marks})",
)


class SqlWorkflowStore:
    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def start(self, instance: WorkflowInstance) -> bool:
        now_ms = self._now_ms()
        return self._tables.write(lambda statements: _start(statements, instance, now_ms))

    def load(self, workflow_id: str) -> WorkflowInstance | None:
        with self._tables.reading() as statements:
            return reading.find(statements, workflow_id)

    def page(self, status: WorkflowStatus | None, after: str | None, limit: int) -> WorkflowPage:
        with self._tables.reading() as statements:
            return reading.page(statements, status, after, limit)

    def depth(self, workflow_id: str, most: int) -> int:
        with self._tables.reading() as statements:
            return reading.depth(statements, workflow_id, most)

    def change(self, workflow_id: str, decide: Decide, claim: JobClaim | None = None) -> Transition | None:
        now_ms = self._now_ms()

        def work(statements: TableStatements) -> Transition | None:
            before = reading.find(statements, workflow_id)
            if before is None:
                return None
            transition = decide(before, reading.events(statements, workflow_id))
            if transition is None:
                return Transition(instance=before)
            _save(statements, before, transition)
            _carry_on(statements, transition, claim, now_ms)
            return transition

        return self._tables.write(work)

    def send(self, event: SentEvent) -> bool:
        now_ms = self._now_ms()
        return self._tables.write(lambda statements: _send(statements, event, now_ms))

    def nudge(self, workflow_id: str) -> None:
        now_ms = self._now_ms()
        self._tables.write(lambda statements: _wake(statements, workflow_id, now_ms, now_ms))

    def forget(self, ended_before_ms: int, limit: int) -> int:
        def work(statements: Statements) -> int:
            ids = [columns[0] for columns in statements.all(_ENDED_IDS, (ended_before_ms, limit))]
            for text in _FORGET if ids else ():
                statements.all(text.format(marks=", ".join("?" * len(ids))), ids)
            return len(ids)

        return self._tables.write(work)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def unique_key(workflow_id: str) -> str:
    """Of the job that carries an instance on."""
    return f"{JOB_KEYS}{workflow_id}"


def _start(statements: TableStatements, instance: WorkflowInstance, now_ms: int) -> bool:
    added = statements.one(
        _ADD,
        (
            instance.id,
            instance.name,
            jobs.text_of(instance.input),
            instance.status.value,
            jobs.text_of(instance.output),
            instance.error,
            instance.created_ms,
            instance.started_ms,
            instance.completed_ms,
            instance.wake_ms,
            instance.waiting_for,
            instance.current_step,
            instance.max_retries,
            instance.parent_id,
            instance.stalled,
            instance.stalls,
            instance.version,
            len(bytes(instance.input)),
        ),
    )
    if added is not None:
        _wake(statements, instance.id, now_ms, now_ms)
    return added is not None


def _save(statements: TableStatements, before: WorkflowInstance, transition: Transition) -> None:
    after = transition.instance
    grown = sum(len(bytes(step.output)) for step in transition.records)
    if after.status.is_final:
        grown += len(bytes(after.output))
    statements.all(
        _SAVE,
        (
            after.status.value,
            jobs.text_of(after.output),
            _error_text(after.error),
            after.started_ms,
            after.completed_ms,
            after.wake_ms,
            after.waiting_for,
            after.current_step,
            after.stalled,
            after.stalls,
            after.version,
            grown,
            after.id,
        ),
    )
    for index, step in enumerate(transition.records, len(before.steps)):
        statements.all(_ADD_STEP, _step_values(after.id, index, step))
    for number in transition.taken:
        statements.all(_TAKE_EVENT, (number,))


def _carry_on(statements: TableStatements, transition: Transition, claim: JobClaim | None, now_ms: int) -> None:
    """See to it that there is a job as long as something is to be done without anybody's asking."""
    resume_ms = transition.resume_ms
    if claim is None:
        if transition.goes_on or resume_ms is not None:
            _wake(statements, transition.instance.id, resume_ms or now_ms, now_ms)
    elif transition.goes_on:
        jobs.go_on(statements, claim)
    elif resume_ms is not None:
        jobs.wait(statements, claim, resume_ms)
    else:
        jobs.complete(statements, claim, now_ms)
    for job in transition.jobs:
        jobs.enqueue(statements, job, now_ms)
    for child in transition.children:
        _start(statements, child, now_ms)
    for event in transition.sent:
        _send(statements, event, now_ms)


def _send(statements: TableStatements, event: SentEvent, now_ms: int) -> bool:
    found = statements.one(_STATUS, (event.workflow_id,))
    if found is None or WorkflowStatus(found[0]).is_final:
        return False
    waiting = statements.one(_COUNT_EVENTS, (event.workflow_id,))
    if waiting is not None and waiting[0] >= EVENTS_MAX:
        raise DataError("WORKFLOW_EVENT_FAILED", f"{EVENTS_MAX} events wait for this workflow already.")
    statements.all(_ADD_EVENT, (event.workflow_id, event.name, jobs.text_of(event.data)))
    _wake(statements, event.workflow_id, now_ms, now_ms)
    return True


def _wake(statements: TableStatements, workflow_id: str, at_ms: int, now_ms: int) -> None:
    """Have the engine go on with an instance then, if it would not do so sooner."""
    job = NewJob(
        name=JOB_NAME,
        payload=msgspec.Raw(msgspec.json.encode({"id": workflow_id})),
        queue=QUEUE,
        max_retries=ALWAYS_AGAIN,
        run_at_ms=at_ms,
        unique_key=unique_key(workflow_id),
    )
    jobs.hasten(statements, job, now_ms)


def _step_values(workflow_id: str, index: int, step: WorkflowStep) -> tuple[object, ...]:
    return (
        workflow_id,
        index,
        step.name,
        step.status.value,
        step.recorded_ms,
        jobs.text_of(step.output),
        _error_text(step.error),
        step.duration_ms,
        step.retry_count,
    )


def _error_text(text: str | None) -> str | None:
    return None if text is None else error_text(text)


_: type[WorkflowStore] = SqlWorkflowStore
