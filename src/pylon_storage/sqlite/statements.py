"""SQL on one SQLite connection, with its exceptions translated."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import apsw

from pylon_http import DataError
from pylon_storage.budget import within
from pylon_storage.rows import RowStatements
from pylon_storage.sqlite.announcements import Announcements
from pylon_storage.sqlite.committer import GroupCommitter
from pylon_storage.sqlite.connections import ReaderPool
from pylon_storage.sqlite.translate import READ_ERRORS, constraint_failed, read_failed
from pylon_storage.sqlite.write_group import WriteGroup
from pylon_storage.statements import Columns, Heard, Statements, Tables, TableStatements

T = TypeVar("T")


class SqliteStatements:
    """Used by one thread at a time, as its connection is."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        try:
            return self._connection.execute(text, params).fetchall()
        except READ_ERRORS as error:
            raise read_failed(error) from error

    def bounded(self, text: str, params: Sequence[Any], chars_max: int) -> list[Columns]:
        cursor = self._connection.cursor()
        try:
            return within(cursor.execute(text, params), chars_max)
        except READ_ERRORS as error:
            raise read_failed(error) from error
        finally:
            cursor.close(force=True)

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        try:
            return self._connection.execute(text, params).fetchone()
        except READ_ERRORS as error:
            raise read_failed(error) from error

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        self.all(text, params)


class GroupStatements(SqliteStatements):
    """Inside the transaction of a group."""

    __slots__ = ("_group",)

    def __init__(self, group: WriteGroup) -> None:
        super().__init__(group.connection)
        self._group = group

    def change(self, text: str, params: Sequence[Any], entity: str, code: str) -> None:
        try:
            self._connection.execute(text, params)
        except apsw.ConstraintError as error:
            raise constraint_failed(entity, code, error) from error
        except apsw.TooBigError:
            raise DataError(code, f"The row is too large for {entity}.") from None

    def notify(self, topic: str, text: str) -> None:
        """Nobody else has the file."""

    def announce(self, topic: str, text: str) -> None:
        self._group.announced[topic, text] = None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        connection = self._connection
        connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if not connection.get_autocommit():
                connection.execute("ROLLBACK TO part")
                connection.execute("RELEASE part")
            raise
        connection.execute("RELEASE part")


class SqliteTables:
    """The other tables of a store's file: written through its committer, read through its pool."""

    def __init__(self, committer: GroupCommitter, readers: ReaderPool, announcements: Announcements) -> None:
        self._committer = committer
        self._readers = readers
        self._announcements = announcements

    def reading(self) -> AbstractContextManager[Statements]:
        return self._borrowed()

    def write(self, work: Callable[[TableStatements], T]) -> T:
        return self._committer.run(lambda group: work(GroupStatements(group)))

    def write_briefly(self, work: Callable[[TableStatements], T]) -> T:
        return self.write(work)

    @property
    def skip_locked(self) -> str:
        """Writers follow each other."""
        return ""

    def on_notice(self, topic: str, heard: Heard) -> None:
        """No other process has the file, so only what is announced is ever heard."""
        self._announcements.subscribe(topic, heard)

    @contextmanager
    def _borrowed(self) -> Iterator[Statements]:
        with self._readers.borrow() as connection:
            yield SqliteStatements(connection)


_rows: type[RowStatements] = GroupStatements
_tables: type[Tables] = SqliteTables
