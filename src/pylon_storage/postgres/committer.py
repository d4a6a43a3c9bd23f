"""The group committer: many short writes, one transaction, one commit (design §3.5).

Work that nobody waits for is queued; whoever flushes *leads*: it runs what is queued in one transaction, each
job in a savepoint, commits once and tells every owner. One thread leads at a time. Others meanwhile run
transactions of their own, of which this is just one: when the group loses against them it is run again like any
other, and when that fails as a whole each job is run by itself, so that one that cannot win takes nobody along.

A group does not wait for what others have changed and not committed yet, which may be a function that talks for
half a minute: such a job is put off, and done by itself when the lead is given away.

Any thread may call any method. ``_lock`` guards the queue, the lead and the closed flag, and is never held while
work or Postgres runs.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

from pylon_core.clock import Clock
from pylon_http import DataError, Outcome
from pylon_storage.postgres.pool import LOCK_MS
from pylon_storage.postgres.transactions import Transaction, TransactionRunner
from pylon_storage.postgres.translate import Restart

T = TypeVar("T")

GROUP_JOBS_MAX = 60
"""Postgres keeps the savepoints of a transaction at hand up to 64."""
GROUP_SECONDS = 0.008
"""A group stops taking work after this long, so that the first in it does not wait for many slow ones."""
GROUP_ATTEMPTS_MAX = 3
GROUP_LOCK_MS = 25
"""How long a job in a group waits for others' transactions: longer than those of other groups take."""
PUT_OFF_SECONDS = 10.0
"""How long those put off together may wait in all."""

Work = Callable[[Transaction], Any]


class _Job:
    """Work in the queue; ``done`` is told what became of it."""

    __slots__ = ("_done", "error", "is_put_off", "result", "work")

    def __init__(self, work: Work, done: Callable[[Outcome[Any]], None]) -> None:
        self.work = work
        self._done = done
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_put_off = False

    def do(self, transaction: Transaction) -> None:
        """Its failure undoes it alone."""
        self.result, self.error, self.is_put_off = None, None, False
        transaction.statements.gave_up_waiting = False
        mark = transaction.changes.mark()
        try:
            with transaction.statements.savepoint():
                self.result = self.work(transaction)
                _check_it_did_not_wait(transaction)
        except Restart:
            raise
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever brought the work
            self.error = error
            self.is_put_off = transaction.statements.gave_up_waiting
            transaction.changes.undo_to(mark)

    def do_alone(self, runner: TransactionRunner, lock_ms: int = LOCK_MS) -> None:
        try:
            self.result, self.error = runner.run(self.work, lock_ms=lock_ms), None
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever brought the work
            self.error = error

    def settle(self) -> None:
        self._done(Outcome(self.result, self.error))


class GroupCommitter:
    """``place`` is one among those that keep a connection for long, or raises NOT_AVAILABLE."""

    def __init__(
        self, runner: TransactionRunner, place: Callable[[], AbstractContextManager[None]], clock: Clock
    ) -> None:
        self._runner = runner
        self._place = place
        self._clock = clock
        self._left_over: Callable[[], None] = _nobody
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._queue: deque[_Job] = deque()
        self._led = False
        self._closed = False

    def on_left_over(self, notify: Callable[[], None]) -> None:
        """Whom to tell, in place of whoever was told before, that submitted work waits and nobody leads."""
        self._left_over = notify

    def submit(self, work: Callable[[Transaction], T], done: Callable[[Outcome[T]], None]) -> None:
        """Somebody's ``flush`` does it, and that thread calls ``done``. Raises NOT_AVAILABLE once closed."""
        with self._lock:
            if self._closed:
                raise DataError("NOT_AVAILABLE", "The database is closed.")
            self._queue.append(_Job(work, done))

    def flush(self) -> bool:
        """Lead one group, unless somebody leads or nothing waits; whether it did."""
        if not self._take_lead():
            return False
        jobs: list[_Job] = []
        try:
            jobs = self._lead()
        finally:
            self._give_lead_away()
            self._do_put_off(jobs)
        return True

    def drain(self) -> None:
        """Do what is queued by now, unless somebody is at it."""
        if not self._queue or not self._take_lead():
            return
        jobs: list[_Job] = []
        try:
            due = len(self._queue)
            while len(jobs) < due:
                jobs += self._lead()
        finally:
            self._give_lead_away()
            self._do_put_off(jobs)

    def close(self) -> None:
        """Refuse new work, do what is queued. Safe twice."""
        with self._lock:
            self._closed = True
        while self._queue or self._led:
            if not self.flush():
                with self._lock:
                    self._idle.wait_for(lambda: not self._led)

    def _take_lead(self) -> bool:
        with self._lock:
            if self._led or not self._queue:
                return False
            self._led = True
            return True

    def _give_lead_away(self) -> None:
        with self._lock:
            self._led = False
            self._idle.notify_all()
            left_over = bool(self._queue)
        if left_over:
            self._left_over()

    def _lead(self) -> list[_Job]:
        """Run one group and tell every owner, whatever happens, save of those put off; all of them."""
        jobs: list[_Job] = []
        try:
            self._runner.run(partial(self._do_jobs, jobs), GROUP_ATTEMPTS_MAX, GROUP_LOCK_MS)
        except DataError as error:
            self._failed(jobs, error)
        except BaseException:
            self._failed(
                jobs, DataError("COMMIT_FAILED", "It is unknown whether the write was stored. Try again.")
            )
            raise
        finally:
            for job in jobs:
                if not job.is_put_off:
                    job.settle()
        return jobs

    def _do_put_off(self, jobs: list[_Job]) -> None:
        deadline = self._clock.monotonic() + PUT_OFF_SECONDS
        for job in jobs:
            if job.is_put_off:
                left_ms = int(1000 * (deadline - self._clock.monotonic()))
                try:
                    with self._place():
                        job.do_alone(self._runner, max(GROUP_LOCK_MS, left_ms))
                except DataError as error:
                    job.error = error
                job.settle()

    def _do_jobs(self, jobs: list[_Job], transaction: Transaction) -> None:
        """Fill ``jobs`` from the queue, doing each; run again, do them all again."""
        for job in jobs:
            job.do(transaction)
        if jobs:
            return
        deadline = self._clock.monotonic() + GROUP_SECONDS
        while len(jobs) < GROUP_JOBS_MAX and self._queue:
            job = self._queue.popleft()
            jobs.append(job)
            job.do(transaction)
            if self._clock.monotonic() >= deadline:
                return

    def _failed(self, jobs: list[_Job], error: DataError) -> None:
        if error.code == "CONFLICT":
            for job in jobs:
                if not job.is_put_off:
                    job.do_alone(self._runner)
            return
        if not jobs:  # no transaction could be begun: it would fail for all of them alike
            with self._lock:
                jobs.extend(self._queue)
                self._queue.clear()
        for job in jobs:
            job.error = error if job.is_put_off else job.error or error
            job.is_put_off = False


def _check_it_did_not_wait(transaction: Transaction) -> None:
    """In vain, and went on regardless."""
    if transaction.statements.gave_up_waiting:
        raise DataError("NOT_AVAILABLE", "Somebody else is changing the same. Try again soon.")


def _nobody() -> None:
    pass
