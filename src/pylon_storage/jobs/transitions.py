"""What becomes of one job, inside whatever transaction its caller is in: of rows, of workflows, of jobs alone.

Each is one statement that finds the job only where the step is allowed, so it needs no lock and no look first.
Plain functions over statements, used by the thread that has these.
"""

import re
from collections.abc import Sequence

import msgspec

from pylon_http import DataError, JobLost
from pylon_http.jobs import JobClaim, JobStatus, NewJob, error_text
from pylon_storage.jobs.schema import RUNNING, UNFINISHED, WAITING
from pylon_storage.statements import Columns, TableStatements

TOPIC = "jobs"
"""Of what is announced when a job begins to wait: the time it is due, in milliseconds."""
UNIQUE_TRIES = 3

_PREFIX = "job_"
_NUMBER = re.compile("[1-9][0-9]{0,17}")

_ENQUEUE = (
    "INSERT INTO _pylon_jobs (name, payload, priority, status, queue, max_retries, retry_count, run_at_ms,"
    " created_ms, attempt, unique_key, identity) VALUES (?, ?, ?, 'pending', ?, ?, 0, ?, ?, 0, ?, ?)"
    f" ON CONFLICT (unique_key) WHERE {UNFINISHED} DO NOTHING RETURNING n"
)
_UNFINISHED_WITH = f"SELECT n FROM _pylon_jobs WHERE unique_key = ? AND {UNFINISHED}"
_CANCEL = f"UPDATE _pylon_jobs SET status = 'cancelled', completed_ms = ? WHERE n = ? AND {WAITING} RETURNING n"
_CLAIMED = "n = ? AND worker = ? AND attempt = ? AND status = 'running'"
_COMPLETE = (
    f"UPDATE _pylon_jobs SET status = 'completed', completed_ms = ?, error = NULL WHERE {_CLAIMED} RETURNING n"
)
_HOLD = f"SELECT retry_count FROM _pylon_jobs WHERE {_CLAIMED}"
_FRESH = "UPDATE _pylon_jobs SET retry_count = 0 WHERE n = ?"
_WAIT = (
    "UPDATE _pylon_jobs SET status = 'pending', retry_count = 0, started_ms = NULL, worker = NULL, error = NULL,"
    f" run_at_ms = ? WHERE {_CLAIMED} RETURNING n"
)
_HASTEN = (
    "UPDATE _pylon_jobs SET run_at_ms = ?"
    f" WHERE unique_key = ? AND {UNFINISHED} AND {WAITING} AND run_at_ms > ? RETURNING n"
)
_GIVE_BACK = (
    "UPDATE _pylon_jobs SET status = CASE WHEN retry_count = 0 THEN 'pending' ELSE 'retrying' END,"
    " started_ms = NULL, worker = NULL, run_at_ms = CASE WHEN run_at_ms < ? THEN ? ELSE run_at_ms END"
    f" WHERE {_CLAIMED} RETURNING run_at_ms"
)
_FAILED = (
    "status = CASE WHEN retry_count < max_retries THEN 'retrying' ELSE 'dead' END,"
    " retry_count = CASE WHEN retry_count < max_retries THEN retry_count + 1 ELSE retry_count END,"
    " run_at_ms = CASE WHEN retry_count < max_retries THEN ? ELSE run_at_ms END,"
    " started_ms = CASE WHEN retry_count < max_retries THEN NULL ELSE started_ms END,"
    " completed_ms = CASE WHEN retry_count < max_retries THEN NULL ELSE ? END, worker = NULL, error = ?"
)
"""An attempt that failed; the right side of each sees the job as it was."""
_FAIL = f"UPDATE _pylon_jobs SET {_FAILED} WHERE {_CLAIMED} RETURNING status, run_at_ms"
_BURY = (
    "UPDATE _pylon_jobs SET status = 'dead', completed_ms = ?, worker = NULL, error = ?"
    f" WHERE {_CLAIMED} RETURNING n"
)
_REPORT = f"UPDATE _pylon_jobs SET progress = ? WHERE {_CLAIMED} RETURNING n"
_TAKE_OVER = (
    f"UPDATE _pylon_jobs SET {_FAILED} WHERE {RUNNING}"
    " AND worker NOT IN (SELECT worker FROM _pylon_job_workers WHERE seen_ms >= ?) RETURNING status, run_at_ms"
)
_RETRY_DEAD = (
    "UPDATE _pylon_jobs SET status = 'pending', retry_count = 0, error = NULL, started_ms = NULL,"
    " completed_ms = NULL, run_at_ms = ? WHERE n = ? AND status = 'dead' AND NOT EXISTS (SELECT 1 FROM _pylon_jobs"
    " AS other WHERE other.unique_key = _pylon_jobs.unique_key AND other.completed_ms IS NULL) RETURNING n"
)
_IS_DEAD = "SELECT 1 FROM _pylon_jobs WHERE n = ? AND status = 'dead'"


def job_id(number: int) -> str:
    return f"{_PREFIX}{number}"


def number_of(text: str) -> int | None:
    """The number in a job's id; ``None`` for what is no such id."""
    digits = text.removeprefix(_PREFIX)
    return int(digits) if text.startswith(_PREFIX) and _NUMBER.fullmatch(digits) else None


def enqueue(statements: TableStatements, job: NewJob, now_ms: int) -> str:
    """Keep a job, and wake whoever is idle once that is committed; its id, or that of the unfinished job that has
    its unique key."""
    run_at_ms = max(job.run_at_ms, now_ms)
    for _ in range(UNIQUE_TRIES):
        added = statements.one(
            _ENQUEUE,
            (
                job.name,
                text_of(job.payload),
                int(job.priority),
                job.queue,
                job.max_retries,
                run_at_ms,
                now_ms,
                job.unique_key,
                None if job.identity is None else text_of(job.identity),
            ),
        )
        if added is not None:
            announce(statements, run_at_ms)
            return job_id(added[0])
        found = statements.one(_UNFINISHED_WITH, (job.unique_key,))
        if found is not None:
            return job_id(found[0])
    raise DataError("CONFLICT", "Jobs with this unique key begin and end all the time. Try again.")


def cancel(statements: TableStatements, job: str, now_ms: int) -> bool:
    """End a job that has not begun; false when there is none such."""
    return statements.one(_CANCEL, (now_ms, number_of(job))) is not None


def complete(statements: TableStatements, claim: JobClaim, now_ms: int) -> None:
    """Raises ``JobLost`` when the claim no longer holds."""
    if statements.one(_COMPLETE, (now_ms, *claimed(claim))) is None:
        raise JobLost


def go_on(statements: TableStatements, claim: JobClaim) -> None:
    """Part of a job is done: the attempts before are forgotten. Raises ``JobLost`` when the claim no longer
    holds."""
    held = statements.one(_HOLD, claimed(claim))
    if held is None:
        raise JobLost
    if held[0]:
        statements.all(_FRESH, (number_of(claim.job_id),))


def wait(statements: TableStatements, claim: JobClaim, run_at_ms: int) -> None:
    """Part of a job is done: the rest waits until then, as if it were new. Raises ``JobLost`` as ``go_on``."""
    if statements.one(_WAIT, (run_at_ms, *claimed(claim))) is None:
        raise JobLost
    announce(statements, run_at_ms)


def hasten(statements: TableStatements, job: NewJob, now_ms: int) -> None:
    """Keep a job with a unique key; one that waits already is due no later than this one would be."""
    run_at_ms = max(job.run_at_ms, now_ms)
    if statements.one(_HASTEN, (run_at_ms, job.unique_key, run_at_ms)) is None:
        enqueue(statements, job, now_ms)
    else:
        announce(statements, run_at_ms)


def give_back(statements: TableStatements, claim: JobClaim, retry_at_ms: int) -> bool:
    """The attempt was not made and does not count."""
    given = statements.one(_GIVE_BACK, (retry_at_ms, retry_at_ms, *claimed(claim)))
    if given is not None:
        announce(statements, given[0])
    return given is not None


def fail(statements: TableStatements, claim: JobClaim, error: str, retry_at_ms: int, now_ms: int) -> bool:
    """The attempt failed: the job waits for the next, or is dead when that was the last."""
    failed = statements.all(_FAIL, (retry_at_ms, now_ms, error_text(error), *claimed(claim)))
    _announce_retries(statements, failed)
    return bool(failed)


def bury(statements: TableStatements, claim: JobClaim, error: str, now_ms: int) -> bool:
    """The attempt failed, and so would every other."""
    return statements.one(_BURY, (now_ms, error_text(error), *claimed(claim))) is not None


def take_over(statements: TableStatements, error: str, silent_since_ms: int, now_ms: int) -> int:
    """Fail the attempts of all workers that have said nothing since then; how many."""
    failed = statements.all(_TAKE_OVER, (now_ms, now_ms, error, silent_since_ms))
    _announce_retries(statements, failed)
    return len(failed)


def report(statements: TableStatements, claim: JobClaim, progress: msgspec.Raw) -> bool:
    return statements.one(_REPORT, (text_of(progress), *claimed(claim))) is not None


def retry_dead(statements: TableStatements, job: str, now_ms: int) -> bool:
    """Raises DataError CONFLICT when another unfinished job has its unique key by now."""
    number = number_of(job)
    if statements.one(_RETRY_DEAD, (now_ms, number)) is not None:
        announce(statements, now_ms)
        return True
    if statements.one(_IS_DEAD, (number,)) is not None:
        raise DataError("CONFLICT", "Another job with the same unique key is not finished.")
    return False


def _announce_retries(statements: TableStatements, failed: Sequence[Columns]) -> None:
    due = [run_at_ms for status, run_at_ms in failed if status == JobStatus.RETRYING]
    if due:
        announce(statements, min(due))


def announce(statements: TableStatements, run_at_ms: int) -> None:
    """A job waits from now on; those with nothing to do should know when it is due."""
    statements.announce(TOPIC, str(run_at_ms))


def claimed(claim: JobClaim) -> tuple[int | None, str, int]:
    """What ``_CLAIMED`` asks for."""
    return number_of(claim.job_id), claim.worker, claim.attempt


def text_of(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()
