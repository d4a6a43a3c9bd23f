"""SQL on one Postgres connection, with its exceptions translated, its marks numbered, its waits outside a turn.

In Postgres a statement that fails takes its whole transaction with it. So each statement of a transaction is sent
in one go with a savepoint before it and its release behind it: one round trip as before, hardly slower, and the
transaction stays usable. The first behind BEGIN or a savepoint needs none of its own. A write that the database
has no reason to refuse, such as that of the text index, goes along with the next statement.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_storage.budget import within
from pylon_storage.postgres import notices
from pylon_storage.postgres.connection import Connection, Cursor, roll_back, undo
from pylon_storage.postgres.placeholders import numbered
from pylon_storage.postgres.pool import Loan
from pylon_storage.postgres.translate import (
    CONFLICTS,
    ENCODING_ERRORS,
    Restart,
    change_refused,
    is_lost,
    refused,
)
from pylon_storage.rows import RowStatements
from pylon_storage.statements import Columns, Statements

_BEGIN_READING = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SAVEPOINT = b"SAVEPOINT statement"
_RELEASE = b"RELEASE statement"
_ID = b"SELECT pg_current_xact_id()::text, set_config('lock_timeout', $1, true)"
_PART = b"SAVEPOINT part"
_UNDO_TO_PART = b"ROLLBACK TO part"
_RELEASE_PART = b"RELEASE part"
_UNDO_PART = b"ROLLBACK TO part; RELEASE part"
_ROLLBACK = b"ROLLBACK"
_UNDO = b"ROLLBACK TO statement; RELEASE statement"


class WholeResults(ABC):
    """What follows from reading whole results, as libpq does anyway."""

    __slots__ = ()

    @abstractmethod
    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]: ...

    def bounded(self, text: str, params: Sequence[Any], chars_max: int) -> list[Columns]:
        return within(self.all(text, params), chars_max)

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        found = self.all(text, params)
        return found[0] if found else None

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        self.all(text, params)


class SingleStatements(WholeResults):
    """Reads, each of the newest committed state. Used by one thread at a time."""

    __slots__ = ("_loan",)

    def __init__(self, loan: Loan) -> None:
        self._loan = loan

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        try:
            return self._run(text, params)
        except Restart:
            self._loan.replace()
        try:
            return self._run(text, params)
        except Restart as lost:
            raise _gone() from lost

    def _run(self, text: str, params: Sequence[Any]) -> list[Columns]:
        connection = self._loan.connection
        try:
            with blocking():
                return _rows_of(connection.execute(numbered(text), params))
        except ENCODING_ERRORS as error:
            if is_lost(connection, error):
                raise Restart from error
            raise refused(error) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    """A statement that goes along with the next."""

    text: bytes
    params: Sequence[Any]


class TransactionStatements(WholeResults):
    """A transaction that begins with its first statement. Used by one thread at a time.

    Once a ``Restart`` was raised, every further statement raises it, so that a caller who went on regardless
    commits nothing.
    """

    def __init__(self, connection: Connection, begin: bytes) -> None:
        self._connection = connection
        self._begin = begin
        self._unsent: list[bytes | _Write] = [begin]
        self._guards: dict[bytes | _Write, bytes] = {begin: _ROLLBACK, _PART: _UNDO_TO_PART}
        """What goes back to before a statement that was sent right behind one of these."""
        self.is_over = False

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        try:
            return _rows_of(self._run(numbered(text), params))
        except ENCODING_ERRORS as error:
            raise refused(error) from error

    def _run(self, text: bytes, params: Sequence[Any]) -> Cursor:
        if self.is_over:
            raise Restart
        connection = self._connection
        guard = self._guards.get(self._unsent[-1]) if self._unsent else None
        try:
            with blocking(), connection.pipeline():
                self._send_unsent()
                if guard is None:
                    connection.execute(_SAVEPOINT, prepare=False)
                cursor = connection.execute(text, params)
                if guard is None:
                    connection.execute(_RELEASE, prepare=False)
        except ENCODING_ERRORS as error:
            self._recover(error, guard or _UNDO)
            raise
        return cursor

    def _send_unsent(self) -> None:
        unsent, self._unsent = self._unsent, []
        for text in unsent:
            self._send(text)

    def _send(self, unsent: "bytes | _Write") -> None:
        if isinstance(unsent, bytes):
            self._connection.execute(unsent, prepare=False)
        else:
            self._connection.execute(unsent.text, unsent.params)

    def _recover(self, error: Exception, undoing: bytes) -> None:
        """Make the transaction usable again, or raise ``Restart`` when there is none any more."""
        if is_lost(self._connection, error) or isinstance(error, CONFLICTS):
            self.is_over = True
            raise Restart from error
        self._undo(undoing)
        if undoing == _ROLLBACK:
            self._unsent.append(self._begin)

    def _undo(self, text: bytes) -> None:
        try:
            is_undone = undo(self._connection, text)
        except psycopg.Error as lost:
            self.is_over = True
            raise Restart from lost
        if not is_undone:
            self.is_over = True
            raise Restart


class ReadStatements(TransactionStatements):
    """One state, that of the first statement; a connection that was gone before that is replaced."""

    def __init__(self, loan: Loan) -> None:
        super().__init__(loan.connection, _BEGIN_READING)
        self._loan = loan

    def _run(self, text: bytes, params: Sequence[Any]) -> Cursor:
        is_first = bool(self._unsent)
        try:
            return super()._run(text, params)
        except Restart as lost:
            if not is_first:
                raise _gone() from lost
        self._loan.replace()
        super().__init__(self._loan.connection, _BEGIN_READING)
        try:
            return super()._run(text, params)
        except Restart as lost:
            raise _gone() from lost

    def end(self) -> None:
        roll_back(self._loan.connection)


class WritingStatements(TransactionStatements):
    """A transaction that writes. With its first statement it learns its id, by which its outcome can be asked.

    ``lock_ms`` is how long each statement waits for what others have changed and not committed yet.
    """

    def __init__(self, connection: Connection, begin: bytes, origin: str, lock_ms: int) -> None:
        super().__init__(connection, begin)
        self._origin = origin
        self._lock_ms = str(lock_ms)
        self.gave_up_waiting = False
        """Whether one has waited in vain since this was last set."""
        self._id: Cursor | None = None

    @property
    def transaction_id(self) -> str | None:
        """``None`` as long as nothing was said to the database."""
        if self._id is None or self._begin in self._unsent:
            return None
        found = self._id.fetchone()
        assert found is not None
        return str(found[0])

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        if self._begin in self._unsent or _PART in self._unsent:  # it would have to be taken back with these
            super().write(text, params)
        else:
            self._unsent.append(_Write(numbered(text), params))

    def change(self, text: str, params: Sequence[Any], entity: str, code: str) -> None:
        try:
            self._run(numbered(text), params)
        except ENCODING_ERRORS as error:
            raise change_refused(entity, code, error) from error

    def notify(self, topic: str, text: str) -> None:
        self.all("SELECT pg_notify(?, ?)", (notices.CHANNEL, notices.payload(self._origin, topic, text)))

    def announce(self, topic: str, text: str) -> None:
        self.write("SELECT pg_notify(?, ?)", (notices.CHANNEL, notices.payload(notices.EVERYBODY, topic, text)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What cannot fail is sent along with the next statement."""
        self._unsent.append(_PART)
        try:
            yield
        except BaseException:
            if not self.is_over and self._has_said_part():
                # Releases, without which one would go back to an inner part.
                inner = [text for text in self._unsent if isinstance(text, bytes)]
                self._unsent = []
                self._undo(b"; ".join([*inner, _UNDO_PART]))
            raise
        if self._has_said_part():
            self._unsent.append(_RELEASE_PART)

    def _has_said_part(self) -> bool:
        """Whether anything was said since the last savepoint; where not, it is taken back."""
        if self._unsent and self._unsent[-1] == _PART:
            self._unsent.pop()
            return False
        return True

    def commit(self, closing: Callable[[Connection], Cursor | None]) -> Cursor | None:
        """Send what ``closing`` executes and COMMIT in one go; what ``closing`` returned, with its result."""
        with blocking(), self._connection.pipeline():
            self._send_unsent()
            cursor = closing(self._connection)
            self._connection.execute(b"COMMIT", prepare=False)
        return cursor

    def _send_unsent(self) -> None:
        unsent, self._unsent = self._unsent, []
        for text in unsent:
            self._send(text)
            if text == self._begin:
                self._id = self._connection.execute(_ID, (self._lock_ms,))

    def _recover(self, error: Exception, undoing: bytes) -> None:
        self.gave_up_waiting = self.gave_up_waiting or isinstance(error, errors.LockNotAvailable)
        super()._recover(error, undoing)


def _gone() -> DataError:
    return DataError("NOT_AVAILABLE", "The connection to the database was lost. Try again.")


def _rows_of(cursor: Cursor) -> list[Columns]:
    return [] if cursor.description is None else cursor.fetchall()


_single: type[Statements] = SingleStatements
_rows: type[RowStatements] = WritingStatements
