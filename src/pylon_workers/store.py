"""The ``DataStore`` over a D1 database (what it cannot promise: the package's docstring).

Any thread may call it. One process serves a database, and in it one thread at a time writes: it holds ``_writer``
for the length of a group of transactions, its calls to D1 included, and others wait for it without a turn.
``_lock`` guards the listeners, what was submitted and the closed flag. ``_head`` and ``_broken`` are assigned by
whoever holds ``_writer``.

    sound --(an undoing fails, or nobody knows whether a commit happened)--> broken
    broken --(any call: what is in the journal is undone, the head read anew)--> sound, else NOT_AVAILABLE
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

import structlog

from pylon_core.clock import Clock
from pylon_core.ids import RowIds
from pylon_core.manifest import AppManifest
from pylon_core.turns import blocking
from pylon_http import ChangeEvent, DataError, DataStore, LogPage, Outcome, Reader, Row, Trial, TxStore
from pylon_storage import schema, sql
from pylon_storage.catalog import Catalog
from pylon_storage.rows import SqlReader
from pylon_storage.search.index import text_index
from pylon_storage.search.prepare import prepare
from pylon_storage.sqlite.changelog import TABLES
from pylon_workers import changelog, journal
from pylon_workers.dialect import D1Dialect
from pylon_workers.executor import D1Error, D1Executor, Statement
from pylon_workers.search import D1TextIndex
from pylon_workers.statements import D1Statements
from pylon_workers.transaction import D1Tx, Layouts, Transaction

T = TypeVar("T")
Job = tuple[Callable[[TxStore], Any], Callable[[Outcome[Any]], None]]
Listener = Callable[[Sequence[ChangeEvent]], None]

_DIALECT = D1Dialect()

log = structlog.get_logger("pylon.workers")


class D1Store:
    """Brings the database's tables up to the manifest, undoes what a process before left half done, and serves.

    ``watched`` and ``visibility`` as for the SQLite store. Raises DataError SCHEMA_INIT_FAILED.
    """

    def __init__(
        self,
        executor: D1Executor,
        manifest: AppManifest,
        *,
        watched: Mapping[str, frozenset[str]],
        visibility: str,
        clock: Clock,
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._ids = RowIds(clock)
        self._catalog = Catalog(manifest, _DIALECT, watched, partial(text_index, D1TextIndex))
        self._statements = D1Statements(executor)
        self._reader = SqlReader(self._statements, self._catalog)
        self._layouts = _bring_up(executor, manifest, visibility)
        self._head = changelog.head(self._statements)
        self._writer = threading.Lock()
        self._writing_thread: int | None = None
        self._submitted: deque[Job] = deque()
        self._left_over: Callable[[], None] = _nobody
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._closed = False
        self._broken = False

    def get(self, entity: str, row_id: str) -> Row | None:
        self._ensure_sound()
        return self._reader.get(entity, row_id)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        self._ensure_sound()
        yield self._reader

    def long_work(self, wait_s: float) -> AbstractContextManager[None]:  # noqa: ARG002 - nobody waits
        return nullcontext()

    def transact(self, work: Callable[[TxStore], T]) -> T:
        if self._writing_thread == threading.get_ident():
            raise DataError("NESTED_TRANSACTION", "A transaction is already open here.")
        outcomes: list[Outcome[T]] = []
        with blocking():
            self._writer.acquire()
        if self._closed:
            self._writer.release()
            raise _closed()
        self._write_group([*self._take_submitted(), (work, outcomes.append)])
        return outcomes[0].get()

    @property
    def reads_at_once(self) -> bool:
        return False

    def try_out(self) -> AbstractContextManager[Trial | None]:
        return nullcontext()

    def submit(self, work: Callable[[TxStore], T], done: Callable[[Outcome[T]], None]) -> None:
        with self._lock:
            if self._closed:
                raise _closed()
            self._submitted.append((work, done))

    def flush(self) -> bool:
        if not self._submitted or not self._writer.acquire(blocking=False):
            return False
        self._write_group(self._take_submitted())
        return True

    def on_left_over(self, notify: Callable[[], None]) -> None:
        self._left_over = notify

    def changes(self, since: int, limit: int) -> LogPage:
        """Up to the newest commit: the entries of a transaction that is still open are there already."""
        self._ensure_sound()
        newest = self._head
        events, has_more = changelog.page(self._statements, since, newest, limit)
        floor = changelog.floor(self._statements)
        return LogPage([self._catalog.current(event) for event in events], has_more, newest, floor)

    def head(self) -> int:
        return self._head

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    def close(self) -> None:
        """What was submitted is done first."""
        with self._lock:
            self._closed = True
        with blocking():
            self._writer.acquire()
        self._write_group(self._take_submitted())

    def _take_submitted(self) -> list[Job]:
        with self._lock:
            jobs = list(self._submitted)
            self._submitted.clear()
        return jobs

    def _write_group(self, jobs: Sequence[Job]) -> None:
        """Do each job's work, publish what they changed, tell their owners, give ``_writer`` back."""
        events: list[ChangeEvent] = []
        try:
            self._writing_thread = threading.get_ident()
            outcomes = [(done, self._do(work, events)) for work, done in jobs]
            self._writing_thread = None
            self._publish(events)
            for done, outcome in outcomes:
                done(outcome)
        finally:
            self._writing_thread = None
            self._writer.release()
        if self._submitted:
            self._left_over()

    def _do(self, work: Callable[[TxStore], T], events: list[ChangeEvent]) -> Outcome[T]:
        """Do one job's work in a transaction of its own; adds its events."""
        try:
            self._mend(events)
        except DataError as error:
            return Outcome(None, error)
        tx = Transaction(
            self._executor, self._catalog, self._layouts, self._head, self._clock.now_ns() // 1_000_000
        )
        try:
            result = work(D1Tx(tx, self._catalog, self._ids.next))
            tx.commit()
        except D1Error as error:
            log.error("d1_commit_unknown", error=str(error))  # noqa: TRY400 - a network's doing
            self._broken = True
            return Outcome(
                None, DataError("COMMIT_FAILED", "It is unknown whether the write was stored. Try again.")
            )
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever brought the work
            self._undo(tx)
            return Outcome(None, error)
        self._head += len(tx.events)
        events += tx.events
        return Outcome(result, None)

    def _undo(self, tx: Transaction) -> None:
        try:
            tx.undo()
        except D1Error as error:
            log.error("d1_undo_failed", error=str(error))  # noqa: TRY400 - a network's doing
            self._broken = True

    def _ensure_sound(self) -> None:
        """For those who read. Raises DataError NOT_AVAILABLE."""
        if self._closed:
            raise _closed()
        if self._broken:
            self.transact(_nothing)

    def _mend(self, events: list[ChangeEvent]) -> None:
        """Undo what the journal still has, and add the events of what was committed all the same."""
        if not self._broken:
            return
        try:
            journal.undo_after(self._executor, 0)
            newest = changelog.head(self._statements)
            found, _ = changelog.page(self._statements, self._head, newest, newest - self._head)
        except (D1Error, DataError) as error:
            raise DataError(
                "NOT_AVAILABLE",
                "The database holds a transaction that could neither be finished nor undone.",
                hint="It is undone as soon as the database answers again.",
            ) from error
        events += found
        self._head = newest
        self._broken = False

    def _publish(self, events: Sequence[ChangeEvent]) -> None:
        if events:
            for listener in self._listeners:
                listener(events)


def _closed() -> DataError:
    return DataError("NOT_AVAILABLE", "The database is closed.")


def _nobody() -> None:
    pass


def _nothing(_tx: TxStore) -> None:
    """Work that has the store mended."""


def _bring_up(executor: D1Executor, manifest: AppManifest, visibility: str) -> Layouts:
    try:
        executor.batch([Statement(text) for text in (journal.TABLE, *TABLES)])
        journal.undo_after(executor, 0)
        additions = schema.additions(manifest, _columns(executor, manifest), _DIALECT)
        renewal = changelog.renewal(D1Statements(executor), visibility)
        if additions or renewal:
            executor.batch([*map(Statement, additions), *renewal])
        # Statement by statement; what was built is remembered last, so a build that is cut short is begun again.
        prepare(D1Statements(executor), manifest, _DIALECT, D1TextIndex)
        return {name: tuple(columns) for name, columns in _columns(executor, manifest).items()}
    except D1Error as error:
        raise DataError(
            "SCHEMA_INIT_FAILED",
            f"The database could not be brought up to the manifest: {error}",
            hint="A new unique field or index fails while rows still share a value.",
        ) from error


def _columns(executor: D1Executor, manifest: AppManifest) -> dict[str, dict[str, str]]:
    """The columns of the entities' tables, with their types; a table that is not there has none."""
    tables: dict[str, dict[str, str]] = {}
    for entity in manifest.entities:
        found = executor.query(f"PRAGMA table_info({sql.quote(entity.name)})", ())
        if found:
            tables[entity.name] = {name: declared for _, name, declared, *_ in found}
    return tables


_: type[DataStore] = D1Store
