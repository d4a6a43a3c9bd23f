"""Files in a folder: what a crash leaves there goes with the next start, what is being written stays."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from pylon_http import DataError
from pylon_storage.files import LocalStorage
from tests.support.file_storages import Folder, content, store


def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / ".incoming" / "file_1").write_bytes(b"half")
    store(folder.storage, "file_2", b"whole")

    LocalStorage(tmp_path)

    assert folder.names() == ["file_2"]


def test_a_start_beside_it_leaves_a_running_upload_alone(tmp_path: Path) -> None:
    writer = LocalStorage(tmp_path).begin("file_1")
    writer.write(b"abc")

    second = LocalStorage(tmp_path)
    writer.commit()

    assert content(second, "file_1", 0, 3) == b"abc"


def test_a_file_being_read_is_read_to_its_end_although_it_is_deleted(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    store(storage, "file_1", b"x" * 200_000)
    reader = storage.open("file_1", 0, 200_000)
    first = reader.read()

    storage.delete("file_1")
    rest = b"".join(iter(reader.read, b""))
    reader.close()

    assert len(first + rest) == 200_000


def test_only_the_server_may_look_into_the_folder(tmp_path: Path) -> None:
    store(LocalStorage(tmp_path / "uploads"), "file_1", b"abc")

    assert stat.S_IMODE(os.stat(tmp_path / "uploads" / "file_1").st_mode) == 0o600


def test_a_disk_that_refuses_is_a_failed_write_without_a_path_in_it(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "uploads")
    shutil.rmtree(tmp_path / "uploads")

    with pytest.raises(DataError) as failure:
        storage.begin("file_1")

    assert (failure.value.code, failure.value.status) == ("WRITE_FAILED", 500)
    assert str(tmp_path) not in str(failure.value)


def test_an_upload_whose_end_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    writer = folder.storage.begin("file_1")
    (tmp_path / ".incoming" / "file_1").unlink()

    with pytest.raises(DataError, match="WRITE_FAILED"):
        writer.commit()
    writer.abort()

    assert folder.names() == []
