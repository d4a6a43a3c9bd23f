"""The entries of files in both databases: what is kept, in which order, and what a loose id may become."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_http import StoredFile
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.files import SqlFileIndex
from pylon_storage.postgres import PostgresStore
from tests.support.postgres import fresh_database

MANIFEST = parse_manifest(
    '{"manifest_version": 1, "name": "f", "version": "1", "routes": [], "entities": '
    '[{"name": "Note", "fields": [], "indexes": []}]}'
)


@pytest.fixture(params=["sqlite", "postgres"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlFileIndex]:
    clock = SystemClock()
    store: SqliteStore | PostgresStore
    if request.param == "sqlite":
        path = tmp_path / "files.db"
        store = SqliteStore(path, MANIFEST, watched={}, visibility="", clock=clock, faults=NoFaults())
    else:
        url = fresh_database()
        store = PostgresStore(url, MANIFEST, watched={}, visibility="", clock=clock, faults=NoFaults())
    yield SqlFileIndex(store.tables)
    store.close()


def make_file(file_id: str = "file_1", user_id: str = "alice", size: int = 3, private: bool = False) -> StoredFile:
    return StoredFile(file_id, user_id, 'grüße "1".txt 🎲', "text/plain", size, "ab" * 32, private, 1_800_000_000)


def add(index: SqlFileIndex, file: StoredFile) -> StoredFile:
    index.begin(file.id, file.created_at)
    assert index.add(file)
    return file


@pytest.mark.parametrize(
    "file", [make_file(), make_file(size=2**40), make_file(private=True)], ids=["plain", "large", "private"]
)
def test_an_entry_comes_back_as_it_was_made(index: SqlFileIndex, file: StoredFile) -> None:
    assert index.get(file.id) is None

    add(index, file)

    assert index.get(file.id) == file


def test_an_entry_is_made_of_a_loose_id_only_and_once(index: SqlFileIndex) -> None:
    assert not index.add(make_file())
    add(index, make_file())

    assert not index.add(make_file())


def test_a_doomed_id_becomes_no_entry(index: SqlFileIndex) -> None:
    index.begin("file_1", 100)
    index.begin("file_2", 200)

    index.doom_begun(200)

    assert list(index.doomed(10)) == ["file_1"]
    assert not index.add(make_file("file_1"))
    assert index.add(make_file("file_2"))
    assert index.get("file_1") is None


def test_an_entry_that_goes_leaves_its_id_doomed_until_it_is_forgotten(index: SqlFileIndex) -> None:
    add(index, make_file())

    removed = [index.doom("file_1", 300), index.doom("file_1", 300)]
    left = list(index.doomed(10))
    index.forget("file_1")

    assert (removed, left, list(index.doomed(10))) == ([True, False], ["file_1"], [])
    assert index.get("file_1") is None


def test_the_oldest_doomed_ids_come_first(index: SqlFileIndex) -> None:
    for second, file_id in enumerate(["file_c", "file_a", "file_b"]):
        index.begin(file_id, second)
    index.doom_begun(100)

    assert list(index.doomed(2)) == ["file_c", "file_a"]


def test_pages_are_in_the_order_of_ids(index: SqlFileIndex) -> None:
    files = [add(index, make_file(f"file_{number}", "alice" if number % 2 else "bob")) for number in range(6)]

    assert list(index.page(None, None, 4)) == files[:4]
    assert list(index.page(None, "file_3", 4)) == files[4:]
    assert list(index.page("alice", None, 2)) == [files[1], files[3]]
    assert list(index.page("alice", "file_3", 2)) == [files[5]]
    assert list(index.page("nobody", None, 2)) == []
