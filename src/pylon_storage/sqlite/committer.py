"""The group committer: many threads' writes, one transaction, one fsync (design §3.5).

There is no writer thread. The first thread that wants to write *leads*: it runs its own work and that of
everybody who queued meanwhile, each in a savepoint, commits once, answers them all, and hands the lead to the
next in the queue. Alone, a writer pays no thread switch; in a crowd, the fsync of one group is the time in which
the next one gathers.

Work may also be submitted by a thread that does not wait. A server does that with all the writes it finds ready,
and leads when there is nothing else to do (``flush``): then no thread sleeps for a write, and none is woken.

    idle --(``run``, or ``flush`` with work in the queue)--> led
    led --(queue empty after a group)--> idle
    led --(somebody waits at the head of the queue)--> led by that thread
    led --(submitted work is at the head)--> idle, and ``left_over`` is told that somebody should flush

Any thread may call any method. ``_lock`` guards the queue, the lead and the closed flag, and is never held while
work or SQLite runs; the leader alone touches the connection.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, TypeVar

import apsw
import structlog

from pylon_core.clock import Clock
from pylon_core.turns import Awaited, blocking
from pylon_http import ChangeEvent, DataError, Outcome
from pylon_storage.faults import FaultPoints
from pylon_storage.sqlite import changelog
from pylon_storage.sqlite.recent_changes import RecentChanges
from pylon_storage.sqlite.write_group import WriteGroup

T = TypeVar("T")

GROUP_JOBS_MAX = 256
GROUP_SECONDS = 0.004
"""A group stops taking work after this long, so that the first in it does not wait for many slow ones."""
STEP_ASIDE_S = 0.0005
"""Where commits take longer than this on average, others compute meanwhile; below, handing them the turn and
getting it back would take longer than the commit."""
CHECKPOINT_PAGES = 2_000
"""WAL pages (8 MB) after which the leader copies them into the database, once everybody has been answered."""

log = structlog.get_logger("pylon.storage")


class _Job(ABC):
    """Work in the queue; ``settle`` tells its owner that it is over."""

    __slots__ = ("error", "result", "work")

    def __init__(self, work: Callable[[WriteGroup], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None

    @abstractmethod
    def settle(self) -> None: ...


class _AwaitedJob(_Job):
    """Its owner is a thread that waits, so it can be given the lead."""

    __slots__ = ("answer", "leads")

    def __init__(self, work: Callable[[WriteGroup], Any]) -> None:
        super().__init__(work)
        self.leads = False
        self.answer = Awaited()

    def settle(self) -> None:
        self.answer.announce()


class _SubmittedJob(_Job):
    """Nobody waits for it; ``done`` is told."""

    __slots__ = ("done",)

    def __init__(self, work: Callable[[WriteGroup], Any], done: Callable[[Outcome[Any]], None]) -> None:
        super().__init__(work)
        self.done = done

    def settle(self) -> None:
        self.done(Outcome(self.result, self.error))


class GroupCommitter:
    """Runs work in durable transactions on the one writing connection.

    ``open_writer`` makes a fresh connection, at first and after any failed COMMIT: a handle whose fsync failed
    is never used again. ``publish`` gets each commit's events, in order, before anybody is answered.
    """

    def __init__(
        self,
        open_writer: Callable[[], apsw.Connection],
        publish: Callable[[list[ChangeEvent]], None],
        on_reopen: Callable[[], None],
        clock: Clock,
        faults: FaultPoints,
    ) -> None:
        self._open_writer = open_writer
        self._publish = publish
        self._on_reopen = on_reopen
        self._left_over: Callable[[], None] = _nobody
        self._tell_announced: Callable[[Iterable[tuple[str, str]]], None] = _tell_nobody
        self._clock = clock
        self._faults = faults
        self._lock = threading.Lock()
        self._queue: deque[_Job] = deque()
        self._led = False
        self._closed = False
        self._idle = threading.Condition(self._lock)
        self._writing_thread: int | None = None
        self._wal_pages = 0
        self._commit_s = 0.0
        self.is_available = True
        """Whether the database could be written to at the last try."""
        self._connection: apsw.Connection | None = None
        self._head = 0
        self._recent = RecentChanges(0)
        self._connect()

    @property
    def head(self) -> int:
        """The newest committed seq. Read without the lock: it is one assignment, made before any answer."""
        return self._head

    def run(self, work: Callable[[WriteGroup], T]) -> T:
        """Do ``work`` in a transaction; returns its result once it is on disk, or raises its error.

        Raises DataError NESTED_TRANSACTION from inside other work, NOT_AVAILABLE once closed or while the
        database cannot be opened, COMMIT_FAILED when the outcome is unknown.
        """
        if self._writing_thread == threading.get_ident():
            raise DataError("NESTED_TRANSACTION", "A transaction is already open here.")
        job = _AwaitedJob(work)
        with self._lock:
            self._enqueue(job)
            leads, self._led = not self._led, True
        # What was submitted earlier may fill the group it leads; then its own is done in a later one.
        while not (leads and self._lead(job)):
            job.answer.wait()
            leads, job.leads = job.leads, False
            if not leads:
                break
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def on_left_over(self, notify: Callable[[], None]) -> None:
        """Whom to tell, in place of whoever was told before, that submitted work waits and nobody leads."""
        self._left_over = notify

    def on_announced(self, tell: Callable[[Iterable[tuple[str, str]]], None]) -> None:
        """Whom to give what work has announced, once that is committed. Must not block or raise."""
        self._tell_announced = tell

    def submit(self, work: Callable[[WriteGroup], T], done: Callable[[Outcome[T]], None]) -> None:
        """As ``run``, without waiting: somebody's ``flush`` or ``run`` does it, and that thread calls ``done``."""
        job = _SubmittedJob(work, done)
        with self._lock:
            self._enqueue(job)

    def flush(self) -> bool:
        """Lead one group, unless somebody leads or nothing waits; whether it did."""
        with self._lock:
            if self._led or not self._queue:
                return False
            self._led = True
        self._lead(None)
        return True

    def close(self) -> None:
        """Refuse new work, do what is queued, close the connection. Safe twice."""
        with self._lock:
            self._closed = True
        while self._queue or self._led:
            if not self.flush():
                with self._lock:
                    self._idle.wait_for(lambda: not self._led)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _enqueue(self, job: _Job) -> None:
        if self._closed:
            raise DataError("NOT_AVAILABLE", "The database is closed.")
        self._queue.append(job)

    def _lead(self, own: _Job | None) -> bool:
        """Run one group, settle its members, give the lead away; whatever happens, nobody is left waiting.

        Whether ``own`` was among them; it is not settled, its thread is this one.
        """
        jobs: list[_Job] = []
        try:
            self._writing_thread = threading.get_ident()
            self._run_group(jobs)
        finally:
            self._writing_thread = None
            for job in jobs:
                if job is not own:
                    job.settle()
            self._checkpoint_when_due()
            self._hand_over()
        return own in jobs

    def _hand_over(self) -> None:
        with self._lock:
            successor = self._queue[0] if self._queue else None
            if not isinstance(successor, _AwaitedJob):
                self._led = False
                self._idle.notify_all()
        if isinstance(successor, _AwaitedJob):
            successor.leads = True
            successor.answer.announce()
        elif successor is not None:
            self._left_over()

    def _run_group(self, jobs: list[_Job]) -> None:
        """Fill ``jobs`` from the queue, doing each one's work, commit them together, publish the events."""
        group = self._begin()
        if group is None:
            jobs.extend(self._take_all())
            _fail(jobs, DataError("NOT_AVAILABLE", "The database cannot be opened for writing."))
            return
        try:
            self._do_jobs(group, jobs)
            self._commit(group)
        except BaseException as error:
            log.exception("commit_failed")
            self._abandon()
            _fail(jobs, DataError("COMMIT_FAILED", "It is unknown whether the write was stored. Try again."))
            if isinstance(error, apsw.Error):
                return
            raise
        self._head = group.head
        if self._recent.head + len(group.events) != group.head:
            self._recent = RecentChanges(group.head)  # a new log was begun
        elif group.events:
            self._recent.add(group.events)
        self._faults.hit("store.before_publish")
        if group.events:
            self._publish(group.events)
        if group.announced:
            self._tell_announced(group.announced)

    def _begin(self) -> WriteGroup | None:
        try:
            connection = self._ready_connection()
            connection.execute("BEGIN IMMEDIATE")
        except (apsw.Error, DataError) as error:
            log.exception("database_unavailable", error=type(error).__name__)
            self.is_available = False
            self._abandon()
            return None
        self.is_available = True
        return WriteGroup(connection, self._head, self._recent, self._clock.now_ns() // 1_000_000)

    def _do_jobs(self, group: WriteGroup, jobs: list[_Job]) -> None:
        deadline = self._clock.monotonic() + GROUP_SECONDS
        while len(jobs) < GROUP_JOBS_MAX and self._queue:
            job = self._queue.popleft()
            jobs.append(job)
            _do(job, group)
            if self._clock.monotonic() >= deadline:
                return

    def _commit(self, group: WriteGroup) -> None:
        if group.connection.get_autocommit():
            raise apsw.AbortError("the database rolled the transaction back")
        self._faults.hit("store.before_commit")
        begun = self._clock.monotonic()
        with blocking() if self._commit_s > STEP_ASIDE_S else nullcontext():
            group.connection.execute("COMMIT")
        self._commit_s += (self._clock.monotonic() - begun - self._commit_s) / 8
        self._faults.hit("store.after_commit")

    def _checkpoint_when_due(self) -> None:
        if self._wal_pages < CHECKPOINT_PAGES or self._connection is None:
            return
        self._wal_pages = 0
        try:
            with blocking():
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            log.warning("checkpoint_failed", error=type(error).__name__)

    def _take_all(self) -> list[_Job]:
        with self._lock:
            jobs = list(self._queue)
            self._queue.clear()
        return jobs

    def _ready_connection(self) -> apsw.Connection:
        if self._connection is None:
            self._connect()
            self._on_reopen()
        assert self._connection is not None
        return self._connection

    def _connect(self) -> None:
        connection = self._open_writer()
        connection.set_wal_hook(self._note_wal_pages)
        self._head = changelog.head(connection)
        self._recent = RecentChanges(self._head)
        self._connection = connection

    def _abandon(self) -> None:
        """Close the handle whose commit failed; the next group opens a new one and reads what became of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close(force=True)
            except apsw.Error as error:
                log.warning("close_failed", error=type(error).__name__)

    def _note_wal_pages(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK


def _nobody() -> None:
    pass


def _tell_nobody(_announced: Iterable[tuple[str, str]]) -> None:
    pass


def _do(job: _Job, group: WriteGroup) -> None:
    """Do one job's work inside a savepoint; its failure undoes it alone."""
    connection, mark = group.connection, group.mark()
    try:
        connection.execute("SAVEPOINT job")
        job.result = job.work(group)
        connection.execute("RELEASE job")
    except BaseException as error:  # noqa: BLE001 - it belongs to the thread that brought the work
        job.error = error if not isinstance(error, apsw.Error) else _database_failed(error)
        group.undo_to(mark)
        if not connection.get_autocommit():
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")


def _database_failed(cause: apsw.Error) -> DataError:
    log.error("write_failed", error=type(cause).__name__)
    error = DataError("QUERY_FAILED", "The database failed to do this.", status=500)
    error.__cause__ = cause
    return error


def _fail(jobs: list[_Job], error: DataError) -> None:
    for job in jobs:
        if job.error is None:
            job.error = error
