"""The ``JobStore`` in the application's own database, on either engine. Any thread may call it.

Nothing here but ``next_due_ms`` and lists looks before it acts, so every write is brief: it disturbs nobody's
transaction. A worker says that it lives in a row of its own, not in those of its jobs, so that a transaction which
completes a job is not undone by a heartbeat.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from pylon_core.clock import Clock
from pylon_http import JobLost
from pylon_http.jobs import ClaimedJob, Job, JobClaim, JobPriority, JobStatus, JobStore, NewJob
from pylon_storage.jobs import reading, transitions
from pylon_storage.jobs.schema import ENDED, RUNNING, WAITING
from pylon_storage.statements import Columns, Statements, Tables, TableStatements

TAKEN_OVER = "The server that ran it stopped answering."

_BEAT = (
    "INSERT INTO _pylon_job_workers (worker, seen_ms) VALUES (?, ?)"
    " ON CONFLICT (worker) DO UPDATE SET seen_ms = excluded.seen_ms"
)
_CLAIMS = f"SELECT n, attempt FROM _pylon_jobs WHERE {RUNNING} AND worker = ? ORDER BY n"
_ANY_SILENT = (
    "SELECT 1 FROM _pylon_job_workers WHERE seen_ms < ? UNION ALL SELECT 1 FROM _pylon_jobs"
    f" WHERE {RUNNING} AND worker NOT IN (SELECT worker FROM _pylon_job_workers) LIMIT 1"
)
_FORGET_SILENT = "DELETE FROM _pylon_job_workers WHERE seen_ms < ?"
_FORGET = (
    "DELETE FROM _pylon_jobs WHERE n IN (SELECT n FROM _pylon_jobs"
    f" WHERE {ENDED} AND status = ? AND completed_ms < ? ORDER BY completed_ms LIMIT ?) RETURNING n"
)


class SqlJobStore:
    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def enqueue(self, job: NewJob) -> str:
        now_ms = self._now_ms()
        return self._tables.write_briefly(lambda statements: transitions.enqueue(statements, job, now_ms))

    def claim(self, worker: str, limit: int) -> Sequence[ClaimedJob]:
        now_ms = self._now_ms()
        text = _claiming(limit, self._tables.skip_locked)

        def work(statements: TableStatements) -> list[Columns]:
            statements.all(_BEAT, (worker, now_ms))
            return statements.all(text, (*[now_ms] * len(JobPriority), worker, now_ms))

        claimed = [_claimed(worker, columns) for columns in self._tables.write_briefly(work)]
        claimed.sort(key=_running_order)
        return claimed

    def complete(self, claim: JobClaim) -> bool:
        now_ms = self._now_ms()
        try:
            self._tables.write_briefly(lambda statements: transitions.complete(statements, claim, now_ms))
        except JobLost:
            return False
        return True

    def fail(self, claim: JobClaim, error: str, retry_at_ms: int) -> bool:
        now_ms = self._now_ms()
        return self._tables.write_briefly(
            lambda statements: transitions.fail(statements, claim, error, retry_at_ms, now_ms)
        )

    def bury(self, claim: JobClaim, error: str) -> bool:
        now_ms = self._now_ms()
        return self._tables.write_briefly(lambda statements: transitions.bury(statements, claim, error, now_ms))

    def give_back(self, claim: JobClaim, retry_at_ms: int = 0) -> bool:
        return self._tables.write_briefly(lambda statements: transitions.give_back(statements, claim, retry_at_ms))

    def report(self, claim: JobClaim, progress: msgspec.Raw) -> bool:
        return self._tables.write_briefly(lambda statements: transitions.report(statements, claim, progress))

    def cancel(self, job_id: str) -> bool:
        now_ms = self._now_ms()
        return self._tables.write_briefly(lambda statements: transitions.cancel(statements, job_id, now_ms))

    def claims(self, worker: str) -> Sequence[JobClaim]:
        with self._tables.reading() as statements:
            return [
                JobClaim(transitions.job_id(number), worker, attempt)
                for number, attempt in statements.all(_CLAIMS, (worker,))
            ]

    def beat(self, worker: str) -> None:
        now_ms = self._now_ms()
        self._tables.write_briefly(lambda statements: statements.all(_BEAT, (worker, now_ms)))

    def take_over(self, silent_ms: int) -> int:
        now_ms = self._now_ms()
        since_ms = now_ms - silent_ms
        with self._tables.reading() as statements:
            if statements.one(_ANY_SILENT, (since_ms,)) is None:
                return 0

        def work(statements: TableStatements) -> int:
            taken = transitions.take_over(statements, TAKEN_OVER, since_ms, now_ms)
            statements.all(_FORGET_SILENT, (since_ms,))
            return taken

        return self._tables.write_briefly(work)

    def next_due_ms(self) -> int | None:
        with self._tables.reading() as statements:
            return reading.next_due_ms(statements)

    def on_waiting(self, heard: Callable[[int | None], None]) -> None:
        self._tables.on_notice(transitions.TOPIC, lambda text: heard(None if text is None else int(text)))

    def find(self, job_id: str) -> Job | None:
        with self._tables.reading() as statements:
            return reading.find(statements, job_id)

    def page(self, status: JobStatus | None, queue: str | None, limit: int) -> Sequence[Job]:
        with self._tables.reading() as statements:
            return reading.page(statements, status, queue, limit)

    def dead(self, limit: int) -> Sequence[Job]:
        with self._tables.reading() as statements:
            return reading.dead(statements, limit)

    def retry_dead(self, job_id: str) -> bool:
        now_ms = self._now_ms()
        return self._tables.write_briefly(lambda statements: transitions.retry_dead(statements, job_id, now_ms))

    def counts(self) -> Mapping[JobStatus, int]:
        with self._tables.reading() as statements:
            return reading.counts(statements)

    def forget(self, ended_before_ms: int, dead_before_ms: int, limit: int) -> int:
        def work(statements: Statements) -> int:
            return sum(
                len(statements.all(_FORGET, (status.value, before_ms, limit)))
                for status, before_ms in (
                    (JobStatus.COMPLETED, ended_before_ms),
                    (JobStatus.CANCELLED, ended_before_ms),
                    (JobStatus.DEAD, dead_before_ms),
                )
            )

        return self._tables.write_briefly(work)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _claiming(limit: int, skip_locked: str) -> str:
    """The first due jobs of each priority, and of these the first of all. The limit is no parameter: planned for
    any number of rows, the database would rather sort them all."""
    firsts = " UNION ALL ".join(
        "SELECT * FROM (SELECT n, priority, run_at_ms FROM _pylon_jobs"
        f" WHERE {WAITING} AND priority = {priority:d} AND run_at_ms <= ?"
        f" ORDER BY run_at_ms, n LIMIT {limit:d}{skip_locked}) AS of_{priority.name.lower()}"
        for priority in reversed(JobPriority)
    )
    return (
        f"WITH due AS (SELECT n FROM ({firsts}) AS firsts ORDER BY priority DESC, run_at_ms, n LIMIT {limit:d})"
        " UPDATE _pylon_jobs SET status = 'running', worker = ?, attempt = attempt + 1, started_ms = ?"
        f" WHERE n IN (SELECT n FROM due) RETURNING {reading.COLUMNS}, attempt"
    )


def _claimed(worker: str, columns: Columns) -> ClaimedJob:
    *of_job, attempt = columns
    job = reading.decode(of_job)
    return ClaimedJob(job, JobClaim(job.id, worker, attempt))


def _running_order(claimed: ClaimedJob) -> tuple[int, int, int]:
    job = claimed.job
    return -job.priority, job.run_at_ms, transitions.number_of(job.id) or 0


_: type[JobStore] = SqlJobStore
