"""Files on a local disk: one file each, named by its id, in one folder.

An upload is written beside them, in ``.incoming``, flushed to disk and renamed, so what carries an id is whole.
Whoever writes holds a lock on the file, which the kernel drops with the process; what nobody holds is what a
crash left. Any thread may call.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_http.files import FileReader, FileStorage, FileWriter

_INCOMING = ".incoming"
PIECE_BYTES = 64 << 10

_log = structlog.get_logger(__name__)


class LocalStorage:
    """Makes ``folder`` when it is not there, and frees it of what a crash left. ``OSError`` when it cannot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._discard_abandoned()

    def begin(self, file_id: str) -> FileWriter:
        with blocking(), _failing("WRITE_FAILED", "The file could not be stored."):
            return _LocalWriter(self._incoming / file_id, self._folder / file_id)

    def open(self, file_id: str, start: int, end: int) -> FileReader:
        with blocking(), _failing("READ_FAILED", "The file could not be read."):
            try:
                return _LocalReader(self._folder / file_id, start, end)
            except FileNotFoundError:
                raise DataError("FILE_NOT_FOUND", "There is no such file.") from None

    def delete(self, file_id: str) -> None:
        with blocking(), _failing("DELETE_FAILED", "The file could not be removed."):
            (self._incoming / file_id).unlink(missing_ok=True)
            (self._folder / file_id).unlink(missing_ok=True)

    def _discard_abandoned(self) -> None:
        with os.scandir(self._incoming) as entries:
            for entry in entries:
                if _is_abandoned(entry.path):
                    os.unlink(entry.path)
                    _log.info("upload_discarded", file=entry.name)


class _LocalWriter:
    def __init__(self, incoming: Path, final: Path) -> None:
        self._incoming = incoming
        self._final = final
        self._descriptor = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, data: bytes) -> None:
        with blocking(), _failing("WRITE_FAILED", "The file could not be stored."):
            unwritten = memoryview(data)
            while unwritten:
                unwritten = unwritten[os.write(self._descriptor, unwritten) :]

    def commit(self) -> None:
        with blocking(), _failing("WRITE_FAILED", "The file could not be stored."):
            os.fsync(self._descriptor)
            os.rename(self._incoming, self._final)
            _flush_folder(self._final.parent)
            self._close()

    def abort(self) -> None:
        with blocking(), _failing("DELETE_FAILED", "The file could not be removed."):
            self._close()
            self._incoming.unlink(missing_ok=True)
            self._final.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class _LocalReader:
    """Holds the file open, so it is read to its end even when it is deleted meanwhile."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._at = start
        self._end = end
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        with blocking(), _failing("READ_FAILED", "The file could not be read."):
            data = os.pread(self._descriptor, min(PIECE_BYTES, self._end - self._at), self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _is_abandoned(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # its upload is complete
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Have the folder's entries on disk, the new name among them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _failing(code: str, message: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.error("file_storage_failed", code=code, error=error.strerror)
        raise DataError(code, message, status=500) from error


_: type[FileStorage] = LocalStorage
