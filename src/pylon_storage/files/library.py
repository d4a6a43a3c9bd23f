"""``FileLibrary``: the app's files, each an entry in the index and bytes in the storage, always in step.

An upload makes its id loose, writes the bytes, and makes the entry last; a deletion removes the entry first. So
after a crash at any point an entry has its bytes, and what else lies in the storage is known by its loose id and
swept. Nothing is ever looked for by listing the storage: a server that is pointed at another one's bucket by
mistake must not take its files for remains. Any thread may call.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

import structlog
from msgspec import structs

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import DataError
from pylon_http.files import FileDraft, FileIndex, FileReader, FileStorage, FileWriter, StoredFile

UPLOAD_S_MAX = 24 * 3600
"""An upload that is not complete after so long is given up, so that what a crash left can be told from it."""

SWEEP_BATCH = 100

_RANDOM_BYTES = 16
_ID_NAME_CHARS_MAX = 80
"""With the rest of an id still well below the 255 bytes of a file's name."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")

_log = structlog.get_logger(__name__)


class FileLibrary:
    """``random_bytes`` makes ids that cannot be guessed."""

    def __init__(
        self, storage: FileStorage, index: FileIndex, clock: Clock, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._storage = storage
        self._index = index
        self._clock = clock
        self._random_bytes = random_bytes

    def begin(self, name: str, content_type: str, *, user_id: str, private: bool) -> FileDraft:
        """Raises DataError WRITE_FAILED."""
        file_id = self._new_id(name)
        created_at = self._now_s()
        self._index.begin(file_id, created_at)
        file = StoredFile(file_id, user_id, name, content_type, 0, "", private, created_at)
        try:
            writer = self._storage.begin(file_id)
        except PylonError:
            self._index.forget(file_id)
            raise
        return _Draft(file, writer, self._index)

    def find(self, file_id: str) -> StoredFile | None:
        return self._index.get(file_id)

    def open(self, file: StoredFile, start: int, end: int) -> FileReader:
        """The bytes from ``start`` up to before ``end``. Raises DataError FILE_NOT_FOUND or READ_FAILED."""
        return self._storage.open(file.id, start, end)

    def page(self, user_id: str | None, after: str | None, limit: int) -> Sequence[StoredFile]:
        """The next files behind an id, oldest first; one owner's or all."""
        return self._index.page(user_id, after, limit)

    def delete(self, file_id: str) -> bool:
        """Remove a file for good; whether there was one. Its bytes may follow later, but cannot be read."""
        found = self._index.doom(file_id, self._now_s())
        if found:
            self._remove_bytes(file_id)
        return found

    def sweep(self) -> int:
        """Remove some of the bytes that belong to no file; how many ids were tried, ``SWEEP_BATCH`` at most.

        Ends the round when one cannot be removed: the next would hardly fare better.
        """
        self._index.doom_begun(self._now_s() - UPLOAD_S_MAX)
        done = 0
        for file_id in self._index.doomed(SWEEP_BATCH):
            if not self._remove_bytes(file_id):
                return 0
            done += 1
        return done

    def _remove_bytes(self, file_id: str) -> bool:
        try:
            self._storage.delete(file_id)
            self._index.forget(file_id)
        except PylonError as error:
            _log.warning("file_bytes_left", file=file_id, error=str(error))
            return False
        return True

    def _new_id(self, name: str) -> str:
        readable = _UNSAFE.sub("_", name[:_ID_NAME_CHARS_MAX])
        return f"file_{self._clock.now_ns():019d}_{self._random_bytes(_RANDOM_BYTES).hex()}_{readable}"

    def _now_s(self) -> int:
        return self._clock.now_ns() // 1_000_000_000


class _Draft:
    def __init__(self, file: StoredFile, writer: FileWriter, index: FileIndex) -> None:
        self._file = file
        self._writer = writer
        self._index = index
        self._digest = hashlib.sha256()
        self._size = 0
        self._over = False

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        self._writer.write(data)

    def commit(self) -> StoredFile:
        file = structs.replace(self._file, size=self._size, sha256=self._digest.hexdigest())
        self._writer.commit()
        self._over = True  # when adding fails it may have been done; if it was not, the bytes are swept
        if not self._index.add(file):
            self._over = False
            raise DataError("WRITE_FAILED", "The upload took too long and was given up.", status=500)
        return file

    def abort(self) -> None:
        if self._over:
            return
        self._over = True
        try:
            self._writer.abort()
            self._index.forget(self._file.id)
        except PylonError as error:
            _log.warning("file_bytes_left", file=self._file.id, error=str(error))


_: type[FileDraft] = _Draft
