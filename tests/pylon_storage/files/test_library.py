"""Entries and bytes stay in step, whatever is cut short: a file that is listed can be read, the rest goes away."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_http import DataError, StoredFile
from pylon_http.files import FileStorage, FileWriter
from pylon_storage import EphemeralStore
from pylon_storage.files import FileLibrary, LocalStorage, SqlFileIndex
from pylon_storage.files.library import SWEEP_BATCH, UPLOAD_S_MAX
from tests.pylon_auth.memory_backend import SetClock
from tests.support.file_storages import Folder, Place, content

MANIFEST = parse_manifest(
    '{"manifest_version": 1, "name": "f", "version": "1", "routes": [], "entities": '
    '[{"name": "Note", "fields": [], "indexes": []}]}'
)


class Shelf:
    """A library over a storage and a database of its own."""

    def __init__(self, storage: FileStorage) -> None:
        self.clock = SetClock()
        self.store = EphemeralStore(MANIFEST, watched={}, clock=SystemClock())
        self.index = SqlFileIndex(self.store.tables)
        self.storage = storage
        self.library = self.reopened(storage)

    def reopened(self, storage: FileStorage) -> FileLibrary:
        """As after a restart."""
        return FileLibrary(storage, self.index, self.clock, secrets.token_bytes)

    def put(self, data: bytes = b"abc", *, name: str = "a.txt", user_id: str = "alice") -> StoredFile:
        draft = self.library.begin(name, "text/plain", user_id=user_id, private=False)
        draft.write(data)
        return draft.commit()

    def loose_ids(self) -> list[str]:
        with self.store.tables.reading() as statements:
            return [file_id for (file_id,) in statements.all("SELECT id FROM _pylon_loose_files")]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def shelf(folder: Folder) -> Iterator[Shelf]:
    shelf = Shelf(folder.storage)
    yield shelf
    shelf.store.close()


def test_a_file_has_its_size_its_digest_and_an_id_of_time_chance_and_name(shelf: Shelf) -> None:
    file = shelf.put(b"hello", name="photo of me.png")

    assert shelf.library.find(file.id) == file
    assert (file.size, file.user_id, file.created_at) == (5, "alice", SetClock.START_S)
    assert file.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    prefix, nanos, chance, name = file.id.split("_", 3)
    assert (prefix, nanos, name) == ("file", str(shelf.clock.now_ns()), "photo_of_me_png")
    assert len(bytes.fromhex(chance)) == 16


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a\\b", "ü" * 300, ".", "x" * 5000, "a\0b\n%2e"])
def test_an_id_is_a_plain_file_name_whatever_the_file_is_called(shelf: Shelf, folder: Folder, name: str) -> None:
    file = shelf.put(name=name)

    assert folder.names() == [file.id]
    assert not set(file.id) & set("/\\.%\0\n ")
    assert len(file.id) < 200
    assert file.name == name


def test_two_uploads_in_the_same_instant_have_different_ids(shelf: Shelf) -> None:
    assert shelf.put().id != shelf.put().id


def test_a_file_of_either_storage_is_stored_listed_read_and_deleted(place: Place) -> None:
    shelf = Shelf(place.storage)
    file = shelf.put(b"abc")

    listed = shelf.library.page(None, None, 10)
    data = content(place.storage, file.id, 0, 3)
    deleted = [shelf.library.delete(file.id), shelf.library.delete(file.id)]
    shelf.store.close()

    assert (listed, data, deleted, place.names()) == ([file], b"abc", [True, False], [])


def test_an_upload_given_up_leaves_neither_entry_nor_bytes(shelf: Shelf, folder: Folder) -> None:
    draft = shelf.library.begin("a", "text/plain", user_id="alice", private=False)
    draft.write(b"abc")

    draft.abort()

    assert (folder.names(), shelf.library.page(None, None, 10), shelf.loose_ids()) == ([], [], [])


def test_a_crash_in_the_middle_of_an_upload_leaves_nothing_after_a_day(shelf: Shelf, folder: Folder) -> None:
    draft = shelf.library.begin("a", "text/plain", user_id="alice", private=False)
    draft.write(b"abc")
    library = shelf.reopened(folder.storage)
    library.sweep()
    assert folder.names() != []

    shelf.clock.advance(UPLOAD_S_MAX + 1)
    library.sweep()

    assert (folder.names(), library.page(None, None, 10), shelf.loose_ids()) == ([], [], [])


class ProcessDiedError(Exception):
    """The process ends here."""


class DyingIndex(SqlFileIndex):
    def add(self, file: StoredFile) -> bool:
        raise ProcessDiedError


def test_a_crash_between_bytes_and_entry_leaves_no_entry_and_the_bytes_are_swept(
    shelf: Shelf, folder: Folder
) -> None:
    dying = FileLibrary(folder.storage, DyingIndex(shelf.store.tables), shelf.clock, secrets.token_bytes)
    draft = dying.begin("a", "text/plain", user_id="alice", private=False)
    draft.write(b"abc")
    with pytest.raises(ProcessDiedError):
        draft.commit()
    assert (len(folder.names()), shelf.library.page(None, None, 10)) == (1, [])

    shelf.clock.advance(UPLOAD_S_MAX + 1)
    shelf.library.sweep()

    assert (folder.names(), shelf.loose_ids()) == ([], [])


def test_bytes_are_kept_when_it_is_unknown_whether_the_entry_was_made(shelf: Shelf, folder: Folder) -> None:
    class Unsure(SqlFileIndex):
        def add(self, file: StoredFile) -> bool:
            super().add(file)
            raise DataError("COMMIT_FAILED", "It is unknown whether the write was stored.")

    library = FileLibrary(folder.storage, Unsure(shelf.store.tables), shelf.clock, secrets.token_bytes)
    draft = library.begin("a", "text/plain", user_id="alice", private=False)
    with pytest.raises(DataError, match="COMMIT_FAILED"):
        draft.commit()

    draft.abort()

    (file,) = library.page(None, None, 10)
    assert folder.names() == [file.id]


class StubbornStorage(LocalStorage):
    """Deletes nothing as long as it is told so."""

    is_stubborn = True

    def delete(self, file_id: str) -> None:
        if self.is_stubborn:
            raise DataError("DELETE_FAILED", "The file could not be removed.", status=500)
        super().delete(file_id)


def test_bytes_that_could_not_be_removed_cannot_be_found_and_are_removed_later(
    shelf: Shelf, folder: Folder
) -> None:
    storage = StubbornStorage(folder.path)
    library = shelf.reopened(storage)
    file = shelf.put()

    deleted = library.delete(file.id)
    left = (library.find(file.id), folder.names(), library.sweep())
    storage.is_stubborn = False
    library.sweep()

    assert deleted
    assert left == (None, [file.id], 0)
    assert (folder.names(), shelf.loose_ids()) == ([], [])


def test_an_upload_of_more_than_a_day_is_refused_and_leaves_nothing(place: Place) -> None:
    shelf = Shelf(place.storage)
    draft = shelf.library.begin("a", "text/plain", user_id="alice", private=False)
    draft.write(b"abc")
    shelf.clock.advance(UPLOAD_S_MAX + 1)
    shelf.library.sweep()

    with pytest.raises(DataError, match="WRITE_FAILED"):
        draft.commit()
    draft.abort()
    left = (shelf.library.page(None, None, 10), shelf.loose_ids())
    shelf.store.close()

    assert (left, place.names()) == (([], []), [])


def test_the_sweep_leaves_files_and_uploads_of_others_alone(shelf: Shelf, folder: Folder) -> None:
    (folder.path / "file_of_another_database").write_bytes(b"abc")
    file = shelf.put()
    shelf.clock.advance(UPLOAD_S_MAX + 1)

    shelf.library.sweep()

    assert folder.names() == sorted(["file_of_another_database", file.id])


def test_a_sweep_takes_one_batch(shelf: Shelf) -> None:
    for _ in range(SWEEP_BATCH + 1):
        shelf.index.begin(secrets.token_hex(8), shelf.clock.now_ns() // 10**9)
    shelf.clock.advance(UPLOAD_S_MAX + 1)

    assert [shelf.library.sweep(), shelf.library.sweep(), shelf.library.sweep()] == [SWEEP_BATCH, 1, 0]


def test_pages_are_in_order_of_uploading_and_of_one_owner_when_asked(shelf: Shelf) -> None:
    files = []
    for number in range(7):
        shelf.clock.advance(1)
        files.append(shelf.put(user_id="alice" if number % 2 else "bob"))

    first = shelf.library.page(None, None, 4)
    rest = shelf.library.page(None, first[-1].id, 4)

    assert [*first, *rest] == files
    assert list(shelf.library.page("bob", files[0].id, 2)) == [files[2], files[4]]


def test_a_storage_that_cannot_begin_leaves_no_trace(shelf: Shelf, folder: Folder) -> None:
    class Full(LocalStorage):
        def begin(self, file_id: str) -> FileWriter:
            raise DataError("WRITE_FAILED", "The file could not be stored.", status=500)

    with pytest.raises(DataError, match="WRITE_FAILED"):
        shelf.reopened(Full(folder.path)).begin("a", "text/plain", user_id="alice", private=False)

    assert shelf.loose_ids() == []
