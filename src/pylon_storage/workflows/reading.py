"""Workflows as they are read. Plain functions over statements."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pylon_http.workflows import (
    StepStatus,
    WorkflowEvent,
    WorkflowInstance,
    WorkflowPage,
    WorkflowStatus,
    WorkflowStep,
)
from pylon_storage.statements import Columns, Statements

COLUMNS = (
    "id, name, input, status, output, error, created_ms, started_ms, completed_ms, wake_ms, waiting_for,"
    " current_step, max_retries, parent_id, stalled, stalls, version"
)
PAGE_CHARS_MAX = 4_000_000
"""A page ends before the instance with which there would be more text; the first is always on it."""

STEP_COLUMNS = "name, status, recorded_ms, output, error, duration_ms, retry_count"

_FIND = f"SELECT {COLUMNS} FROM _pylon_workflows WHERE id = ?"
_FIND_ALL = f"SELECT {COLUMNS} FROM _pylon_workflows WHERE id IN ({{marks}})"
_STEPS = (
    f"SELECT workflow_id, {STEP_COLUMNS} FROM _pylon_workflow_steps"
    " WHERE workflow_id IN ({marks}) ORDER BY workflow_id, step_index"
)
_EVENTS = "SELECT number, name, data FROM _pylon_workflow_events WHERE workflow_id = ? ORDER BY number"
_DEPTH = (
    "WITH RECURSIVE above (id, height) AS (SELECT parent_id, 1 FROM _pylon_workflows WHERE id = ? UNION ALL"
    " SELECT parent_id, height + 1 FROM _pylon_workflows JOIN above USING (id) WHERE height < ?)"
    " SELECT count(id) FROM above"
)
_CREATED = "SELECT created_ms FROM _pylon_workflows WHERE id = ?"


def depth(statements: Statements, workflow_id: str, most: int) -> int:
    """How many instances are above one, at most so many."""
    found = statements.one(_DEPTH, (workflow_id, most))
    return 0 if found is None else int(found[0])


def find(statements: Statements, workflow_id: str) -> WorkflowInstance | None:
    found = statements.one(_FIND, (workflow_id,))
    return None if found is None else _with_steps(statements, [found])[0]


def events(statements: Statements, workflow_id: str) -> list[WorkflowEvent]:
    return [
        WorkflowEvent(number, name, _raw(data)) for number, name, data in statements.all(_EVENTS, (workflow_id,))
    ]


def page(statements: Statements, status: WorkflowStatus | None, after: str | None, limit: int) -> WorkflowPage:
    """Newest first; nothing behind an instance that there is not."""
    found = _sizes(statements, status, after, limit + 1)
    ids: list[str] = []
    chars = 0
    for workflow_id, size in found[:limit]:
        chars += size
        if ids and chars > PAGE_CHARS_MAX:
            break
        ids.append(workflow_id)
    instances = {instance.id: instance for instance in _find_all(statements, ids)}
    return WorkflowPage(
        [instances[workflow_id] for workflow_id in ids if workflow_id in instances], len(found) > len(ids)
    )


def _sizes(statements: Statements, status: WorkflowStatus | None, after: str | None, limit: int) -> list[Columns]:
    terms: list[str] = []
    params: list[Any] = []
    if status is not None:
        terms.append("status = ?")
        params.append(status.value)
    if after is not None:
        created = statements.one(_CREATED, (after,))
        if created is None:
            return []
        terms.append("(created_ms, id) < (?, ?)")
        params += [created[0], after]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    text = f"SELECT id, size FROM _pylon_workflows{where} ORDER BY created_ms DESC, id DESC LIMIT ?"
    return statements.all(text, (*params, limit))


def _find_all(statements: Statements, ids: Sequence[str]) -> list[WorkflowInstance]:
    if not ids:
        return []
    return _with_steps(statements, statements.all(_FIND_ALL.format(marks=", ".join("?" * len(ids))), ids))


def _with_steps(statements: Statements, found: Sequence[Columns]) -> list[WorkflowInstance]:
    ids = [columns[0] for columns in found]
    steps: dict[str, list[WorkflowStep]] = {workflow_id: [] for workflow_id in ids}
    for workflow_id, *columns in statements.all(_STEPS.format(marks=", ".join("?" * len(ids))), ids):
        steps[workflow_id].append(_step(columns))
    return [_instance(columns, tuple(steps[columns[0]])) for columns in found]


def _instance(columns: Columns, steps: tuple[WorkflowStep, ...]) -> WorkflowInstance:
    workflow_id, name, given, status, output, error, created_ms, started_ms, completed_ms, *rest = columns
    wake_ms, waiting_for, current_step, max_retries, parent_id, stalled, stalls, version = rest
    return WorkflowInstance(
        id=workflow_id,
        name=name,
        input=_raw(given),
        status=WorkflowStatus(status),
        steps=steps,
        output=_raw(output),
        error=error,
        created_ms=created_ms,
        started_ms=started_ms,
        completed_ms=completed_ms,
        wake_ms=wake_ms,
        waiting_for=waiting_for,
        current_step=current_step,
        max_retries=max_retries,
        parent_id=parent_id,
        stalled=stalled,
        stalls=stalls,
        version=version,
    )


def _step(columns: Sequence[Any]) -> WorkflowStep:
    name, status, recorded_ms, output, error, duration_ms, retry_count = columns
    return WorkflowStep(
        name=name,
        status=StepStatus(status),
        recorded_ms=recorded_ms,
        output=_raw(output),
        error=error,
        duration_ms=duration_ms,
        retry_count=retry_count,
    )


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())
