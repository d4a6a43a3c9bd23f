"""The upkeep of one Postgres database: a connection of its own, and transactions that are in nobody's way.

Only one server at a time looks after a database: its surveying connection holds a lock, which goes with it. What
is written is read committed and not serializable: nothing here depends on what was read, and so nobody's
transaction is undone for it. Any thread may call; which connection surveys is one assignment, made by whoever has
that lock.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

import psycopg

from pylon_core.turns import blocking
from pylon_storage.dialect import Dialect
from pylon_storage.postgres import changelog
from pylon_storage.postgres.connection import Connection
from pylon_storage.postgres.dialect import PostgresDialect
from pylon_storage.postgres.placeholders import numbered
from pylon_storage.postgres.statements import WholeResults
from pylon_storage.postgres.translate import refused
from pylon_storage.statements import Columns, Statements, Tables
from pylon_storage.upkeep import Upkeep

T = TypeVar("T")

CANCEL_SECONDS = 1.0

_NO_HURRY = "SET statement_timeout = 0"
_TRY_LOCK = f"SELECT pg_try_advisory_lock({changelog.UPKEEP_LOCK})"


class PostgresUpkeep:
    """``connect`` makes a connection outside of the pool."""

    def __init__(self, tables: Tables, connect: Callable[[], Connection]) -> None:
        self._tables = tables
        self._connect = connect
        self._surveyor: Connection | None = None

    @property
    def dialect(self) -> Dialect:
        return PostgresDialect()

    def reading(self) -> AbstractContextManager[Statements]:
        return self._tables.reading()

    @contextmanager
    def surveying(self) -> Iterator[Statements | None]:
        connection = self._connect()
        try:
            statements = SurveyStatements(connection)
            statements.write(_NO_HURRY)
            is_alone = statements.one(_TRY_LOCK) == (True,)
            if is_alone:
                self._surveyor = connection
            yield statements if is_alone else None
        finally:
            if self._surveyor is connection:
                self._surveyor = None
            connection.close()

    def write(self, work: Callable[[Statements], T]) -> T:
        return self._tables.write_briefly(work)

    def interrupt(self) -> None:
        surveyor = self._surveyor
        if surveyor is not None:
            with suppress(psycopg.Error):  # it is over, or will be asked again
                surveyor.cancel_safe(timeout=CANCEL_SECONDS)


class SurveyStatements(WholeResults):
    """Each statement by itself. Used by one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        try:
            with blocking():
                cursor = self._connection.execute(numbered(text), params)
                return [] if cursor.description is None else cursor.fetchall()
        except psycopg.Error as error:
            raise refused(error) from error


_statements: type[Statements] = SurveyStatements
_upkeep: type[Upkeep] = PostgresUpkeep
