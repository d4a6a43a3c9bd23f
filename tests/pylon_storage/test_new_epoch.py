"""What the guide says to run on a restored backup: cursors of what it does not have are refused from then on."""

from collections.abc import Callable
from pathlib import Path

import apsw
import psycopg
import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_core.manifest import parse_manifest
from pylon_http import DataStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.postgres import PostgresStore
from pylon_sync.pull import following, pull
from tests.docs.markdown import DOCS, Document
from tests.strategies.documents import app, entity, field
from tests.support.compacting import RETENTION_S, compact
from tests.support.postgres import fresh_database

MANIFEST = parse_manifest(jsontext.encode(app(entities=[entity(fields=[field("title")])])))


def procedure(engine: str) -> str:
    (block,) = [block for block in Document(DOCS / "deploying.md").blocks if block.note == engine]
    return block.text


class OnSqlite:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "app.db"

    def open(self) -> SqliteStore:
        return SqliteStore(self._path, MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults())

    def begin_epoch(self) -> None:
        with apsw.Connection(str(self._path)) as connection:
            connection.execute(procedure("sqlite"))
        connection.close()


class OnPostgres:
    def __init__(self, _folder: Path) -> None:
        self._url = fresh_database()

    def open(self) -> PostgresStore:
        return PostgresStore(
            self._url, MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults()
        )

    def begin_epoch(self) -> None:
        with psycopg.connect(self._url) as connection:
            connection.execute(procedure("postgres").encode())


def add(store: DataStore, *titles: str) -> None:
    for title in titles:
        store.transact(lambda tx: tx.insert("Note", {"title": title}))  # noqa: B023 - done at once


def every_title(store: DataStore) -> list[str]:
    first = pull(store, 0, lambda event: event.row)
    rows = [row for page in (first, *following(store, first, lambda event: event.row)) for row in page.changes]
    return [row["title"] for row in rows]


@pytest.mark.parametrize("database_in", [OnSqlite, OnPostgres])
def test_cursors_of_another_history_are_refused_after_a_restore(
    tmp_path: Path, database_in: Callable[[Path], OnSqlite | OnPostgres]
) -> None:
    database = database_in(tmp_path)
    store = database.open()
    add(store, "a", "b", "c")
    store.close()

    for turn in range(2):  # it may be run twice
        database.begin_epoch()
        store = database.open()
        assert every_title(store)[:3] == ["a", "b", "c"]
        add(store, f"new {turn}")
        for lost in (1, 3, 4, 1_000_000):  # the backup's own, and of what came after it
            with pytest.raises(PylonError, match="RESYNC_REQUIRED"):
                pull(store, lost, lambda event: event.row)
        newest = store.head()
        assert newest < 2**53
        assert pull(store, newest - 1, lambda event: event.row).last_seq == newest
        store.close()

    store = database.open()
    assert every_title(store) == ["a", "b", "c", "new 0", "new 1"]
    compact(store.upkeep, RETENTION_S + 60)
    assert every_title(store) == ["a", "b", "c", "new 0", "new 1"]
    store.close()
