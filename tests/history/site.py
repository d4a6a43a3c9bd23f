"""The database side of a world, on either engine: how servers reach it, what can be done to it, what it holds."""

import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import apsw
import msgspec
import psycopg

from tests.history.history import Key, LogEntry, Row
from tests.history.nemesis import FaultKind
from tests.history.workload import MANIFEST
from tests.support.postgres import PostgresServer, fresh_database, postgres_server

COLUMNS = {
    entity["name"]: ["id", *(field["name"] for field in entity["fields"])] for entity in MANIFEST["entities"]
}
_LOG = "SELECT seq, entity, row_id, kind, data FROM _pylon_changes ORDER BY seq"


class Site(Protocol):
    @property
    def servers(self) -> int:
        """How many run on it."""

    @property
    def port(self) -> int | None:
        """Where servers connect to it over the network."""

    def env(self, port: int | None) -> Mapping[str, str]:
        """For a server that reaches the database at that port."""

    def read(self) -> tuple[list[LogEntry], dict[Key, Row]]:
        """The log and all rows, as of one moment."""

    def harm(self, kind: FaultKind, chance: random.Random) -> None: ...


class SqliteSite:
    """One server, on the file in its app folder."""

    servers = 1
    port = None

    def __init__(self, app: Path) -> None:
        self._path = app / ".pylon" / "dev.db"

    def env(self, port: int | None) -> Mapping[str, str]:
        return {}

    def read(self) -> tuple[list[LogEntry], dict[Key, Row]]:
        database = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            database.execute("BEGIN")
            log = _entries(list(database.execute(_LOG)))
            return log, _rows({name: list(database.execute(_select(name))) for name in COLUMNS})
        finally:
            database.close()

    def harm(self, kind: FaultKind, chance: random.Random) -> None:
        raise ValueError("there is no database server to harm")


class PostgresSite:
    """Two servers on a Postgres of their own, which may be crashed."""

    servers = 2

    def __init__(self, server: PostgresServer) -> None:
        self._url = fresh_database(server)
        self.port = server.port

    def env(self, port: int | None) -> Mapping[str, str]:
        assert port is not None
        return {"DATABASE_URL": self._url.replace(f":{self.port}/", f":{port}/")}

    def read(self) -> tuple[list[LogEntry], dict[Key, Row]]:
        with psycopg.connect(self._url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            log = _entries(connection.execute(_LOG.encode()).fetchall())
            rows = {name: connection.execute(_select(name).encode()).fetchall() for name in COLUMNS}
        return log, _rows(rows)

    def harm(self, kind: FaultKind, chance: random.Random) -> None:
        """End half of the sessions, or kill the process of one. Nothing when the database is away just now."""
        with suppress(psycopg.OperationalError), psycopg.connect(self._url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            sessions = [int(pid) for (pid,) in found]
            if kind is FaultKind.TERMINATE:
                for pid in chance.sample(sessions, (len(sessions) + 1) // 2):
                    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            elif sessions:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(sessions), signal.SIGKILL)


@contextmanager
def sqlite_site() -> Iterator[Callable[[Path], Site]]:
    """Makes the site of an app folder, as ``postgres_site`` does."""
    yield SqliteSite


@contextmanager
def postgres_site() -> Iterator[Callable[[Path], Site]]:
    with postgres_server() as server:
        yield lambda app: PostgresSite(server)


def _select(name: str) -> str:
    columns = ", ".join(f'"{column}"' for column in COLUMNS[name])
    return f'SELECT {columns} FROM "{name}"'


def _entries(found: Sequence[Any]) -> list[LogEntry]:
    return [
        LogEntry(seq, entity, row_id, kind, None if data is None else msgspec.json.decode(data))
        for seq, entity, row_id, kind, data in found
        if entity in COLUMNS
    ]


def _rows(found: Mapping[str, Sequence[Any]]) -> dict[Key, Row]:
    return {
        (name, values[0]): dict(zip(COLUMNS[name], values, strict=True))
        for name, rows in found.items()
        for values in rows
    }
