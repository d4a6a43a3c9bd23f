"""Which database an app lives in, and opening it: the one place that tells the engines apart.

What only Postgres needs is imported when a Postgres database is opened, so an app on SQLite pays for none of it,
neither at its start nor in memory. The functions may be called by any thread; each call opens a store of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import DataError, DataStore
from pylon_runtime.app_folder import AppFolder, LoadedManifest
from pylon_runtime.config import DATABASE_URL, DB_PATH, ServerConfig
from pylon_storage import EphemeralStore, FaultPoints, SqliteStore
from pylon_storage.statements import Tables
from pylon_storage.upkeep import Upkeep

IN_MEMORY = ":memory:"
"""What PYLON_DB_PATH says for a database that does not outlive the process."""


class AppStore(DataStore, Protocol):
    """A store with everything persistent of an app in it."""

    @property
    def tables(self) -> Tables:
        """Where the tables beside the rows (sessions, files) are read and written."""

    @property
    def upkeep(self) -> Upkeep:
        """For whoever compacts the change log."""

    @property
    def is_available(self) -> bool:
        """Whether the database answered when it was last spoken to. Never waits."""

    def on_log_turned(self, heard: Callable[[bool], None]) -> None:
        """Call ``heard`` with false when another server has begun the change log anew for other read policies, so
        that nothing in it is for sockets of this one, and with true when it is for these again. Must not block.
        """


@dataclass(frozen=True)
class SqliteFile:
    path: Path
    engine: ClassVar[str] = "sqlite"

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class PostgresDatabase:
    """``str`` of it says where it is and nothing secret."""

    url: str = field(repr=False)
    connections_max: int = 20
    engine: ClassVar[str] = "postgres"

    def __str__(self) -> str:
        from pylon_storage.postgres.url import masked

        return masked(self.url)


@dataclass(frozen=True)
class Memory:
    """A database that goes with the process, for tests."""

    engine: ClassVar[str] = "sqlite"

    def __str__(self) -> str:
        return IN_MEMORY


Database = SqliteFile | PostgresDatabase | Memory


def database_of(config: ServerConfig, folder: AppFolder) -> Database:
    if config.database_url is None:
        if str(config.db_path) == IN_MEMORY:
            return Memory()
        return SqliteFile(folder.root / config.db_path)
    return PostgresDatabase(config.database_url, config.db_connections)


def open_store(database: Database, loaded: LoadedManifest, clock: Clock, faults: FaultPoints) -> AppStore:
    """Raises ``PylonError`` when the database cannot be opened or brought up to the manifest."""
    policies = loaded.policies
    watched = {entity.name: policies.read_fields(entity.name) for entity in loaded.manifest.entities}
    if isinstance(database, Memory):
        return EphemeralStore(loaded.manifest, watched=watched, visibility=policies.fingerprint, clock=clock)
    if isinstance(database, SqliteFile):
        return _open_sqlite(database, loaded, watched, clock, faults)
    return _open_postgres(database, loaded, watched, clock, faults)


def _open_sqlite(
    database: SqliteFile,
    loaded: LoadedManifest,
    watched: Mapping[str, frozenset[str]],
    clock: Clock,
    faults: FaultPoints,
) -> SqliteStore:
    try:
        database.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PylonError(
            "SCHEMA_INIT_FAILED",
            f"The folder of the database cannot be made: {error.strerror}.",
            hint=f"{DB_PATH.name} names the database file.",
        ) from error
    return SqliteStore(
        database.path,
        loaded.manifest,
        watched=watched,
        visibility=loaded.policies.fingerprint,
        clock=clock,
        faults=faults,
    )


def _open_postgres(
    database: PostgresDatabase,
    loaded: LoadedManifest,
    watched: Mapping[str, frozenset[str]],
    clock: Clock,
    faults: FaultPoints,
) -> AppStore:
    from pylon_storage.postgres import PostgresStore

    try:
        return PostgresStore(
            database.url,
            loaded.manifest,
            watched=watched,
            visibility=loaded.policies.fingerprint,
            clock=clock,
            faults=faults,
            connections_max=database.connections_max,
        )
    except DataError as error:
        if error.code != "NOT_AVAILABLE":
            raise
        raise PylonError(
            "PG_CONNECT_FAILED",
            f"{database} cannot be reached: {_reason(error)}.",
            hint="Check that Postgres runs there and lets this machine in, and what "
            f"{DATABASE_URL.name} says: host, port, user, password, name.",
        ) from error


def _reason(error: DataError) -> str:
    """What the driver says, which is the first line; it never quotes the password."""
    lines = str(error.__cause__ or error.message).splitlines()
    return lines[0].removeprefix("connection failed: ").rstrip(" .:")
