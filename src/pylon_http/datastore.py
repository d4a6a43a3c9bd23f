"""The ``DataStore`` protocol: everything the floors above ask of a database.

Three types, from narrow to wide: a ``Reader`` reads one consistent state; a ``TxStore`` also writes, inside
one transaction; a ``DataStore`` opens both. There is no other way to change a row, and a ``TxStore`` appends
the change-log entry itself, so no caller can forget it (design §3.1). What every adapter must hold is the
suite in ``tests/conformance``.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

from pylon_http.aggregates import Aggregation
from pylon_http.changes import ChangeEvent
from pylon_http.jobs import JobClaim, NewJob
from pylon_http.rows import Condition, Filter, Row
from pylon_http.search import Search, SearchPage
from pylon_http.where import Scalar

T = TypeVar("T")


class Outcome(Generic[T]):
    """What became of submitted work: a value or an error, for whoever asks."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: T | None, error: BaseException | None) -> None:
        self._value = value
        self._error = error

    def get(self) -> T:
        """The work's result, or its error raised."""
        if self._error is not None:
            raise self._error
        return cast(T, self._value)


class LogPage(msgspec.Struct, frozen=True):
    """A stretch of the change log: its entries, whether more follow, the newest seq, the oldest cursor served.

    A cursor above 0 and below ``floor`` may have missed entries that are gone; its holder must start again.
    """

    events: Sequence[ChangeEvent]
    has_more: bool
    head: int
    floor: int


class MergeRehearsal(Protocol):
    """``TxStore.merge``, worked out on the row as it was in some state, after that was closed."""

    existing: Row
    """The row as it was."""

    def row(self) -> Row:
        """What it would become. Takes as long as a merge, in no transaction, and raises what one raises."""


class Reader(Protocol):
    """Reads one consistent state. Every method raises ``DataError`` ENTITY_NOT_FOUND for an unknown entity."""

    def get(self, entity: str, row_id: str) -> Row | None:
        """The row, or ``None`` when there is none."""

    def query(self, entity: str, rows: Filter) -> list[Row]:
        """The rows a filter selects. INVALID_COLUMN for an unknown field, INVALID_QUERY for a value that the field
        cannot be compared with."""

    def count(self, entity: str, rows: Filter) -> int:
        """How many rows a filter selects, its limit and offset aside."""

    def lookup(self, entity: str, field: str, value: Scalar, condition: Condition | None = None) -> Row | None:
        """The first row by id whose field equals the value and for which the condition holds, or ``None``. A text
        also stands for the number, boolean or datetime it spells; one that spells none finds nothing."""

    def aggregate(self, entity: str, wanted: Aggregation) -> list[Row]:
        """One row a group, by measure and key name; without groups exactly one. Errors as for ``query``."""

    def search(self, entity: str, wanted: Search) -> SearchPage:
        """SEARCH_NOT_CONFIGURED for an entity without a search block; INVALID_QUERY for a filter on what is no
        facet of it, or a sort by what is not sortable."""

    def document(self, entity: str, row_id: str) -> bytes | None:
        """The row's collaborative document as a Loro snapshot; ``None`` when it has none."""

    def rehearse_merge(self, entity: str, row_id: str, update: bytes) -> MergeRehearsal | None:
        """A merge to be worked out before its transaction; ``None``: no such row."""

    def head(self) -> int:
        """The seq of the newest change that this state has; of what the transaction itself did nothing is said."""


class TxStore(Reader, Protocol):
    """Reads and writes inside one transaction, and sees its own writes. Used by one thread at a time.

    A write that raises leaves no trace of itself; the transaction goes on and may still commit.
    """

    def insert(self, entity: str, data: Mapping[str, Any], row_id: str | None = None) -> Row:
        """Store a new row under ``row_id`` (default: a fresh id) and return it whole.

        INVALID_COLUMN for an unknown field; CRDT_APPLY_FAILED or INVALID_DATA for a value of the wrong type;
        INSERT_FAILED for a missing required field (400) or a taken id or unique value (409).
        """

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None:
        """Change the fields in ``patch`` (``id`` ignored) and return the whole row; ``None``: no such row.

        A patch that changes nothing writes nothing. Errors as for ``insert``, with UPDATE_FAILED; and for a row
        with a document NOT_AVAILABLE and PAYLOAD_TOO_LARGE, as for ``open_document``.
        """

    def delete(self, entity: str, row_id: str) -> bool:
        """Remove the row, with its document; false when there is none."""

    def open_document(self, entity: str, row_id: str) -> bytes | None:
        """The row's collaborative document as a Loro snapshot, made of the row and stored when it has none yet,
        which no log tells; ``None``: no such row. From then on each write of the row is one of its document too.

        NOT_SUPPORTED where rows have no documents; NOT_AVAILABLE when Loro is not installed; PAYLOAD_TOO_LARGE for
        a row that is too large for one.
        """

    def merge(
        self, entity: str, row_id: str, update: bytes, rehearsal: MergeRehearsal | None = None
    ) -> Row | None:
        """Take a client's Loro update or snapshot into the row's document, change the row to what that says then,
        and return it whole; ``None``: no such row. The log entry has what was new to the document, also when it
        changed no field; an update without anything new writes nothing. One that was rehearsed, on the row and
        the document as they are now, is not worked out again; another has half a second, since others wait for
        it.

        CRDT_DECODE_FAILED for bytes that are none, or build on edits that are missing; CRDT_APPLY_FAILED for a
        document that a row cannot hold; and what ``open_document`` and ``update`` raise.
        """

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        """Erase what the change log holds of deleted rows, ids by entity, save that they are gone and what of them
        decided who could read them: who had one must still hear of its end."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what the body wrote when it raises, and only that."""

    def recall(self, scope: str, op_id: str) -> str | None:
        """The row id remembered for an operation of this scope, or ``None`` when it was never applied."""

    def remember(self, scope: str, op_id: str, row_id: str) -> None:
        """Remember an operation as applied; it commits or vanishes with the transaction."""

    def enqueue(self, job: NewJob) -> str:
        """Keep a job, whose id is returned; there is one if and only if the transaction commits, and nobody runs
        it before. NOT_SUPPORTED where there are no jobs."""

    def cancel_job(self, job_id: str) -> bool:
        """End a job that has not begun; false when there is none such."""

    def complete_job(self, claim: JobClaim) -> None:
        """End a job well. Raises ``JobLost`` when the claim no longer holds."""


class Trial(TxStore, Protocol):
    """A transaction tried out on a snapshot, beside everybody else's; nothing is stored before it is settled.

    What it cannot do raises ``NeedsTransaction``, and so does a look at more than one row of an entity that it has
    written to.
    """

    @property
    def has_written(self) -> bool: ...

    def settle(self, tx: TxStore) -> None:
        """Do in ``tx`` what was done here. Raises ``RerunRefused`` when others have changed what it saw, or the
        database refuses what was accepted here (a value that is taken)."""


class DataStore(Protocol):
    """A database of entities. Any thread may call any method.

    ``reads_at_once``: a row is read by id without waiting for anybody, another process included.
    """

    @property
    def reads_at_once(self) -> bool: ...

    def read(self) -> AbstractContextManager[Reader]:
        """One consistent state to read several things from."""

    def get(self, entity: str, row_id: str) -> Row | None:
        """``Reader.get`` on the newest committed state."""

    def long_work(self, wait_s: float) -> AbstractContextManager[None]:
        """Be one of those who keep a ``read`` or a ``transact`` open while they wait for something that is not the
        database: a handler, somebody's download. Where they would be in the way of others, only so many may at a
        time: waits for a place at most so long, then raises NOT_AVAILABLE.
        """

    def transact(self, work: Callable[[TxStore], T]) -> T:
        """Run ``work`` in one transaction and return its result once that is durable.

        When ``work`` raises, nothing it wrote remains and the error goes on to the caller. ``work`` may run on
        another thread, may not call ``transact`` (NESTED_TRANSACTION) and must bound its own waits. It is run
        again from its start when the database could not put it in an order with others: it must do nothing that
        cannot be done twice, or raise ``RerunRefused`` when it is. COMMIT_FAILED means the outcome is unknown: the
        caller must ask by op id before trying again. NOT_AVAILABLE means that nothing was done.
        """

    def try_out(self) -> AbstractContextManager[Trial | None]:
        """A trial for as long as the body runs, to be settled in ``transact`` afterwards; ``None`` where
        transactions keep nobody waiting anyway."""

    def submit(self, work: Callable[[TxStore], T], done: Callable[[Outcome[T]], None]) -> None:
        """As ``transact``, without waiting: ``done`` is told the outcome, once, on whatever thread commits.

        Nothing need happen before somebody calls ``flush`` or ``transact``. ``done`` must not block or raise.
        Raises NOT_AVAILABLE when the store is closed.
        """

    def flush(self) -> bool:
        """Commit what was submitted, if nobody does already; whether there was something to do.

        For threads that have nothing better to do: the later they call, the more goes into one commit.
        """

    def on_left_over(self, notify: Callable[[], None]) -> None:
        """Call ``notify`` whenever submitted work is left behind with nobody to commit it, so that one flushes."""

    def changes(self, since: int, limit: int) -> LogPage:
        """Log entries with ``seq > since``, ascending, at most ``limit``, as of the newest commit."""

    def head(self) -> int:
        """The newest committed seq; 0 when nothing was ever written."""

    def subscribe(self, listener: Callable[[Sequence[ChangeEvent]], None]) -> Callable[[], None]:
        """Call ``listener`` after each commit with its events, in seq order; returns the way to stop.

        Listeners run on the committing thread, one call at a time; they must not block or raise.
        """

    def close(self) -> None:
        """Let running work end, refuse new work, release the files. Safe twice."""
