"""Jobs as they are read: single ones, lists in the order that people are shown, counts. Pure, over statements."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pylon_http.jobs import Job, JobPriority, JobStatus
from pylon_storage.jobs.schema import RUNNING, WAITING
from pylon_storage.jobs.transitions import job_id, number_of
from pylon_storage.statements import Columns, Statements

COLUMNS = (
    "n, name, payload, priority, status, queue, max_retries, retry_count, run_at_ms, created_ms, started_ms,"
    " completed_ms, error, progress, unique_key, identity"
)

_SELECT = f"SELECT {COLUMNS} FROM _pylon_jobs"
_FIND = f"{_SELECT} WHERE n = ?"
_COUNTS = "SELECT status, count(*) FROM _pylon_jobs GROUP BY status"
_WAITING_STATUSES = (JobStatus.PENDING, JobStatus.RETRYING)
_ENDED_STATUSES = (JobStatus.COMPLETED, JobStatus.CANCELLED)
_NEXT_DUE = "SELECT min(due_ms) FROM ({}) AS firsts".format(
    " UNION ALL ".join(
        f"SELECT min(run_at_ms) AS due_ms FROM _pylon_jobs WHERE {WAITING} AND priority = {priority:d}"
        for priority in JobPriority
    )
)
"""The first entry of each priority in the index."""


def next_due_ms(statements: Statements) -> int | None:
    found = statements.one(_NEXT_DUE)
    return None if found is None or found[0] is None else int(found[0])


def find(statements: Statements, text: str) -> Job | None:
    found = statements.one(_FIND, (number_of(text),))
    return None if found is None else decode(found)


def page(statements: Statements, status: JobStatus | None, queue: str | None, limit: int) -> list[Job]:
    jobs: list[Job] = []
    for read in _PARTS:
        if len(jobs) < limit:
            jobs += read(statements, status, queue, limit - len(jobs))
    return jobs


def dead(statements: Statements, limit: int) -> list[Job]:
    order = "ORDER BY completed_ms, n"
    return [
        decode(found) for found in statements.all(f"{_SELECT} WHERE status = 'dead' {order} LIMIT ?", (limit,))
    ]


def counts(statements: Statements) -> Mapping[JobStatus, int]:
    return {JobStatus(status): count for status, count in statements.all(_COUNTS)}


def decode(columns: Sequence[Any]) -> Job:
    number, name, payload, priority, status, queue, max_retries, retry_count, run_at_ms, *rest = columns
    created_ms, started_ms, completed_ms, error, progress, unique_key, identity = rest
    return Job(
        id=job_id(number),
        name=name,
        payload=msgspec.Raw(payload.encode()),
        priority=JobPriority(priority),
        status=JobStatus(status),
        queue=queue,
        max_retries=max_retries,
        retry_count=retry_count,
        run_at_ms=run_at_ms,
        created_ms=created_ms,
        started_ms=started_ms,
        completed_ms=completed_ms,
        error=error,
        progress=_raw(progress),
        unique_key=unique_key,
        identity=_raw(identity),
    )


def _waiting(statements: Statements, status: JobStatus | None, queue: str | None, limit: int) -> list[Job]:
    if status is not None and status not in _WAITING_STATUSES:
        return []
    wanted = "" if status is None else f" AND status = '{status.value}'"
    return _read(statements, f"{WAITING}{wanted}", queue, "priority DESC, run_at_ms, n", limit)


def _running(statements: Statements, status: JobStatus | None, queue: str | None, limit: int) -> list[Job]:
    if status not in (None, JobStatus.RUNNING):
        return []
    return _read(statements, RUNNING, queue, "n", limit)


def _ended(statements: Statements, status: JobStatus | None, queue: str | None, limit: int) -> list[Job]:
    jobs = [
        job
        for kind in _ENDED_STATUSES
        if status in (None, kind)
        for job in _read(statements, f"status = '{kind.value}'", queue, "completed_ms DESC, n DESC", limit)
    ]
    jobs.sort(key=_when_ended)
    return jobs[-limit:]


_PARTS = (_waiting, _running, _ended)


def _read(statements: Statements, where: str, queue: str | None, order: str, limit: int) -> list[Job]:
    labelled, params = ("", ()) if queue is None else (" AND queue = ?", (queue,))
    found: list[Columns] = statements.all(
        f"{_SELECT} WHERE {where}{labelled} ORDER BY {order} LIMIT ?", (*params, limit)
    )
    return [decode(columns) for columns in found]


def _when_ended(job: Job) -> tuple[int, int]:
    return job.completed_ms or 0, number_of(job.id) or 0


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())
