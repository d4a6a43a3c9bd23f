"""The upkeep of one SQLite file: a connection to survey it by, and writes through the store's own writer.

The surveying connection writes to nothing but tables of its own, which SQLite keeps in a temporary file. Its state
of the database lasts for one statement, so the write-ahead log is held up for no longer. Any thread may call;
the lock guards which connection there is, so that ``interrupt`` meets it open.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import apsw

from pylon_storage.dialect import Dialect
from pylon_storage.sqlite.dialect import SqliteDialect
from pylon_storage.sqlite.statements import SqliteStatements
from pylon_storage.sqlite.translate import opening
from pylon_storage.statements import Statements, Tables
from pylon_storage.upkeep import Upkeep

T = TypeVar("T")


class SqliteUpkeep:
    def __init__(self, tables: Tables, open_surveyor: Callable[[], apsw.Connection]) -> None:
        self._tables = tables
        self._open_surveyor = open_surveyor
        self._lock = threading.Lock()
        self._surveyor: apsw.Connection | None = None

    @property
    def dialect(self) -> Dialect:
        return SqliteDialect()

    def reading(self) -> AbstractContextManager[Statements]:
        return self._tables.reading()

    @contextmanager
    def surveying(self) -> Iterator[Statements | None]:
        with opening():
            connection = self._open_surveyor()
        try:
            with self._lock:
                is_first = self._surveyor is None
                if is_first:
                    self._surveyor = connection
            yield SqliteStatements(connection) if is_first else None
        finally:
            with self._lock:
                if self._surveyor is connection:
                    self._surveyor = None
            connection.close()

    def write(self, work: Callable[[Statements], T]) -> T:
        return self._tables.write(work)

    def interrupt(self) -> None:
        with self._lock:
            if self._surveyor is not None:
                self._surveyor.interrupt()


_: type[Upkeep] = SqliteUpkeep
