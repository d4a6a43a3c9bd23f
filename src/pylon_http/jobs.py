"""Background jobs as values, and what the program asks of the place where they are kept (contract 14 §5).

A job is a function called later, by whichever server gets to it first. It is *claimed* before it runs; a claim is
good for one attempt of one worker, and everything that ends the attempt names it, so a worker that was thought
dead and comes back changes nothing.

    pending --claim--> running --complete--> completed
    running --fail, retries left--> retrying --claim, when it is due--> running
    running --fail, none left--> dead --retry--> pending
    pending, retrying --cancel--> cancelled
    running --its worker went silent--> retrying or dead, as for a failure
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

EMPTY = msgspec.Raw(b"{}")
RETRIES_DEFAULT = 3
LATEST_MS = 8_640_000_000_000_000
"""The last millisecond that a JavaScript ``Date`` can name."""
ERROR_CHARS_MAX = 4_000
"""Of an error that is kept or logged: at most 16 KB, and about a screen of it."""


class JobPriority(enum.IntEnum):
    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


class JobStatus(enum.StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be kept. ``payload`` is the function's arguments as JSON text.

    Of jobs with one ``unique_key`` at most one is unfinished; to enqueue another is to be told that one's id.
    ``identity`` is whom the function runs as, in JSON of the caller's making; ``None``: nobody.
    """

    name: str
    payload: msgspec.Raw = EMPTY
    priority: JobPriority = JobPriority.NORMAL
    queue: str = "default"
    max_retries: int = RETRIES_DEFAULT
    run_at_ms: int = 0
    """Milliseconds since the Unix epoch; any time that has passed means at once."""
    unique_key: str | None = None
    identity: msgspec.Raw | None = None


class JobClaim(msgspec.Struct, frozen=True):
    """The right of one worker to one attempt at a job."""

    job_id: str
    worker: str
    attempt: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it is kept. ``progress`` is whatever its handler last said of it, as JSON text."""

    id: str
    name: str
    payload: msgspec.Raw
    priority: JobPriority
    status: JobStatus
    queue: str
    max_retries: int
    retry_count: int
    run_at_ms: int
    created_ms: int
    started_ms: int | None = None
    completed_ms: int | None = None
    error: str | None = None
    progress: msgspec.Raw | None = None
    unique_key: str | None = None
    identity: msgspec.Raw | None = None


class ClaimedJob(msgspec.Struct, frozen=True):
    job: Job
    claim: JobClaim


class JobStore(Protocol):
    """The jobs of one database, shared by every server on it. Any thread may call any method.

    A write is durable when its method returns. Methods that take a claim answer whether it still held; where it
    did not, they did nothing.
    """

    def enqueue(self, job: NewJob) -> str:
        """Keep a job; its id. In a transaction of rows, ``TxStore.enqueue`` does it."""

    def claim(self, worker: str, limit: int) -> Sequence[ClaimedJob]:
        """At most ``limit`` due jobs, now this worker's: by priority, then by when they were due, then in the
        order they were enqueued. Also a sign of the worker's life."""

    def complete(self, claim: JobClaim) -> bool: ...

    def fail(self, claim: JobClaim, error: str, retry_at_ms: int) -> bool:
        """The attempt failed: the job waits for the next, or is dead when that was the last."""

    def bury(self, claim: JobClaim, error: str) -> bool:
        """The attempt failed, and so would every other: the job is dead."""

    def give_back(self, claim: JobClaim, retry_at_ms: int = 0) -> bool:
        """The attempt was not made; it does not count. The job waits as before, at least until then."""

    def report(self, claim: JobClaim, progress: msgspec.Raw) -> bool: ...

    def cancel(self, job_id: str) -> bool:
        """End a job that has not begun; false when there is none such."""

    def claims(self, worker: str) -> Sequence[JobClaim]:
        """The attempts that this worker has begun and not ended."""

    def beat(self, worker: str) -> None:
        """Say that a worker is alive."""

    def take_over(self, silent_ms: int) -> int:
        """Fail the attempts of workers that have said nothing for so long; how many."""

    def next_due_ms(self) -> int | None:
        """When the next job that waits is due; ``None`` when none waits."""

    def on_waiting(self, heard: Callable[[int | None], None]) -> None:
        """Call ``heard`` whenever a job begins to wait, on whatever server, with when it is due, and with ``None``
        when something may have been missed. It must neither block nor raise."""

    def find(self, job_id: str) -> Job | None: ...

    def page(self, status: JobStatus | None, queue: str | None, limit: int) -> Sequence[Job]:
        """Waiting jobs in the order they would run, then the running, then the newest of those that have ended,
        oldest first; without the dead."""

    def dead(self, limit: int) -> Sequence[Job]:
        """Oldest first."""

    def retry_dead(self, job_id: str) -> bool:
        """Have a dead job begin anew; false when there is none such. Raises DataError CONFLICT when its unique key
        is another's by now."""

    def counts(self) -> Mapping[JobStatus, int]: ...

    def forget(self, ended_before_ms: int, dead_before_ms: int, limit: int) -> int:
        """Remove jobs that ended, or died, before then, at most so many of each kind; how many."""


def error_text(text: str) -> str:
    """As it is kept and logged: bounded, with a mark where it was cut. Postgres keeps no NUL in a text."""
    bounded = text if len(text) <= ERROR_CHARS_MAX else f"{text[: ERROR_CHARS_MAX - 1]}…"
    return bounded.replace("\0", " ")


def priority_of(text: Any) -> JobPriority:
    """As people write it; what is no priority is normal."""
    name = text.upper() if isinstance(text, str) else ""
    return JobPriority[name] if name in JobPriority.__members__ else JobPriority.NORMAL
