"""Running work in a transaction, as often as it takes.

Every transaction that writes is SERIALIZABLE, as strong as SQLite's one writer: it commits only if it could have
run alone. One that could not (Postgres says so at any statement, or at COMMIT) is undone and its work run again,
after a random pause; from the third time on such transactions go one at a time in all processes, so that one
gets through.

    lost before COMMIT was sent   nothing happened: run again
    lost at COMMIT                asked on another connection by the transaction's id: done, or run again; where
                                  nobody can tell in time, COMMIT_FAILED, and the caller has to ask by op id

Any thread may call ``run``; the work runs on it. Each run has a connection of its own, so runs overlap. The lock
guards how many there are, for ``close``.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psycopg
import structlog
from psycopg import errors

from pylon_core.clock import Clock
from pylon_core.turns import blocking
from pylon_http import ChangeEvent, DataError
from pylon_storage.faults import FaultPoints
from pylon_storage.postgres import changelog
from pylon_storage.postgres.changelog import Appendix, ChangeBuffer, Entry, LogEra
from pylon_storage.postgres.connection import Connection, Cursor, roll_back
from pylon_storage.postgres.pool import LOCK_MS, Pool
from pylon_storage.postgres.statements import WritingStatements
from pylon_storage.postgres.translate import CONFLICTS, Restart, is_lost, refused

T = TypeVar("T")

ATTEMPTS_MAX = 12
ATTEMPTS_TOGETHER = 2
"""After this many, one at a time."""
PAUSE_SECONDS = 0.002
PAUSE_SECONDS_MAX = 0.1
OUTCOME_SECONDS = 5.0
OUTCOME_PAUSE_SECONDS = 0.05
CLOSE_SECONDS = 30.0

SERIALIZABLE = b"BEGIN ISOLATION LEVEL SERIALIZABLE"
READ_COMMITTED = b"BEGIN ISOLATION LEVEL READ COMMITTED"
"""For what depends on nothing it has read, and so undoes nobody: those that are serializable do not see it."""
_ALONE = f"SELECT pg_advisory_lock({changelog.RETRY_LOCK})".encode()
_NOT_ALONE = f"SELECT pg_advisory_unlock({changelog.RETRY_LOCK})".encode()
_OUTCOME = "SELECT pg_xact_status($1::text::xid8)"
_EVIDENCE = (
    "SELECT 1 FROM _pylon_changes WHERE entity = $1 AND row_id = $2"
    " AND xmin::text::bigint = $3::text::numeric % 4294967296 LIMIT 1"
)
"""After a crash Postgres may give the id of a transaction that was lost to another one. An entry of it tells."""
_HAS_RECOVERED = (
    "SELECT checkpoint_time > clock_timestamp() - make_interval(secs => $1) FROM pg_control_checkpoint()"
)
"""Recovery from a crash ends with a checkpoint: where there is no entry, one in the meantime may be that."""
CHECKPOINT_TIME_S = 1.0
"""How exact the time of a checkpoint is."""

log = structlog.get_logger("pylon.storage")


@dataclass(frozen=True, slots=True)
class Transaction:
    """What work gets: where it speaks to the database, and where it records changes."""

    statements: WritingStatements
    changes: ChangeBuffer
    era: LogEra


class _Inside(threading.local):
    active = False


class TransactionRunner:
    """``publish`` gets each commit's events before its caller is answered; ``publish_missed`` is told when there
    are some that nobody has in hand.
    """

    def __init__(
        self,
        pool: Pool,
        publish: Callable[[list[ChangeEvent], LogEra], None],
        publish_missed: Callable[[], None],
        clock: Clock,
        faults: FaultPoints,
        origin: str,
        era: LogEra,
    ) -> None:
        self._era = era
        self._pool = pool
        self._publish = publish
        self._publish_missed = publish_missed
        self._clock = clock
        self._faults = faults
        self._origin = origin
        self._inside = _Inside()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._seat = threading.Lock()
        self._running = 0
        self._closed = False

    @property
    def is_inside(self) -> bool:
        """Whether the calling thread is in the middle of some work."""
        return self._inside.active

    def run(
        self,
        work: Callable[[Transaction], T],
        attempts: int = ATTEMPTS_MAX,
        lock_ms: int = LOCK_MS,
        begin: bytes = SERIALIZABLE,
    ) -> T:
        """Do ``work`` in a transaction; its result once that is durable, or its error.

        Raises DataError NESTED_TRANSACTION from inside other work, NOT_AVAILABLE once closed or while the database
        cannot be reached, CONFLICT when it lost against others every time, COMMIT_FAILED when nobody knows.
        """
        if self._inside.active:
            raise DataError("NESTED_TRANSACTION", "A transaction is already open here.")
        with self._counted():
            for attempt in range(attempts):
                if attempt:
                    _pause(attempt)
                try:
                    return self._attempt(work, lock_ms, begin, alone=attempt >= ATTEMPTS_TOGETHER)
                except Restart as again:
                    log.debug("transaction_restarted", attempt=attempt + 1, cause=type(again.__cause__).__name__)
        raise DataError("CONFLICT", "Others changed the same rows at the same time. Try again.")

    def close(self) -> None:
        """Refuse new work, let what runs end. Safe twice."""
        with self._lock:
            self._closed = True
            self._idle.wait_for(lambda: not self._running, CLOSE_SECONDS)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise DataError("NOT_AVAILABLE", "The database is closed.")
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._idle.notify_all()

    def _attempt(self, work: Callable[[Transaction], T], lock_ms: int, begin: bytes, *, alone: bool) -> T:
        with self._lane(alone=alone), self._pool.lend() as connection, _locked(connection, alone=alone):
            begun = self._clock.monotonic()
            transaction = Transaction(
                WritingStatements(connection, begin, self._origin, lock_ms),
                ChangeBuffer(self._clock.now_ns() // 1_000_000),
                self._era,
            )
            result = self._do(connection, transaction, work)
            transaction_id = transaction.statements.transaction_id
            events = self._commit(connection, transaction) if transaction_id is not None else []
        if events is None:
            assert transaction_id is not None
            self._settle(transaction_id, next(iter(transaction.changes.entries()), None), begun)
            self._publish_missed()
            return result
        self._faults.hit("store.before_publish")
        if events:
            self._publish(events, transaction.era)
        return result

    def _do(self, connection: Connection, transaction: Transaction, work: Callable[[Transaction], T]) -> T:
        self._inside.active = True
        try:
            result = work(transaction)
        except BaseException:
            roll_back(connection)
            if transaction.statements.is_over:
                raise Restart from None
            raise
        finally:
            self._inside.active = False
        if transaction.statements.is_over:  # the work went on regardless
            roll_back(connection)
            raise Restart
        return result

    def _commit(self, connection: Connection, transaction: Transaction) -> list[ChangeEvent] | None:
        """The events, with their seqs; ``None`` when the connection went away with the answer."""
        entries = transaction.changes.entries()
        appendix = Appendix(entries, transaction.changes.timestamp_ms) if entries else None
        self._faults.hit("store.before_commit")

        def append(connection: Connection) -> Cursor | None:
            if appendix is None:
                return None
            return changelog.append(connection, appendix, transaction.era.number, self._origin)

        try:
            appended = transaction.statements.commit(append)
        except psycopg.Error as error:
            if is_lost(connection, error):
                return None
            roll_back(connection)
            if isinstance(error, changelog.RENEWED):
                self._learn_era(connection)
                raise Restart from error
            if isinstance(error, CONFLICTS):
                raise Restart from error
            log.error("write_failed", error=type(error).__name__)  # noqa: TRY400 - its text may quote values
            raise refused(error) from error
        self._faults.hit("store.after_commit")
        if appendix is None or appended is None:
            return []
        found = appended.fetchone()
        assert found is not None
        return appendix.events(first=found[0])

    def _learn_era(self, connection: Connection) -> None:
        try:
            with blocking():
                self._era = changelog.era(connection, self._era.visibility)
        except psycopg.Error as error:
            raise Restart from error

    def _settle(self, transaction_id: str, entry: Entry | None, begun: float) -> None:
        """Find out what became of a transaction, by its id and an entry of it, or when it began: returns when it
        is committed, raises ``Restart`` otherwise."""
        deadline = self._clock.monotonic() + OUTCOME_SECONDS
        while self._clock.monotonic() < deadline:
            outcome = self._outcome(transaction_id, entry, begun)
            if outcome == "committed":
                return
            if outcome == "aborted":
                raise Restart
            with blocking():
                time.sleep(OUTCOME_PAUSE_SECONDS)
        log.error("commit_failed")
        raise DataError("COMMIT_FAILED", "It is unknown whether the write was stored. Try again.")

    def _outcome(self, transaction_id: str, entry: Entry | None, begun: float) -> str | None:
        """As Postgres says it; ``None`` when it cannot be asked, or another transaction may be meant."""
        try:
            with self._pool.lend() as connection, blocking():
                found = connection.execute(_OUTCOME, (transaction_id,)).fetchone()
                if found == ("committed",) and not self._is_ours(connection, transaction_id, entry, begun):
                    found = None
        except errors.InvalidParameterValue:  # an id of the future: a crash took the transaction along
            return "aborted"
        except (psycopg.Error, DataError):
            return None
        return None if found is None else found[0]

    def _is_ours(self, connection: Connection, transaction_id: str, entry: Entry | None, begun: float) -> bool:
        if entry is not None:
            return connection.execute(_EVIDENCE, (*entry[:2], transaction_id)).fetchone() is not None
        age_s = self._clock.monotonic() - begun + CHECKPOINT_TIME_S
        return connection.execute(_HAS_RECOVERED, (age_s,)).fetchone() == (False,)

    @contextmanager
    def _lane(self, *, alone: bool) -> Iterator[None]:
        """The process' one seat among those that go one at a time: the others wait without a connection."""
        if not alone:
            yield
            return
        with blocking():
            self._seat.acquire()
        try:
            yield
        finally:
            self._seat.release()


@contextmanager
def _locked(connection: Connection, *, alone: bool) -> Iterator[None]:
    """Taken before BEGIN: a transaction sees the database as it was when it began to wait."""
    if not alone:
        yield
        return
    try:
        with blocking():
            connection.execute(_ALONE)
    except errors.LockNotAvailable as error:
        raise refused(error) from error
    except psycopg.Error as error:
        raise Restart from error
    try:
        yield
    finally:
        try:
            with blocking():
                connection.execute(_NOT_ALONE)
        except psycopg.Error:
            connection.close()


def _pause(attempt: int) -> None:
    with blocking():
        time.sleep(random.uniform(0, min(PAUSE_SECONDS * 2**attempt, PAUSE_SECONDS_MAX)))
