"""Files as the floors above storage see them: what is known of one, where its bytes and its entry are kept.

The two protocols are apart because their implementations are: bytes lie on a disk or in a bucket, entries in the
application's database. ``pylon_storage.files`` has both, and keeps them in step."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class StoredFile(msgspec.Struct, frozen=True):
    """One file. ``name`` is what its owner called it, ``sha256`` is of its bytes, in hex; times are in seconds."""

    id: str
    user_id: str
    name: str
    content_type: str
    size: int
    sha256: str
    private: bool
    created_at: int


class FileWriter(Protocol):
    """Bytes on their way into storage, by one thread. Nobody can read them before ``commit``.

    ``write`` and ``commit`` raise DataError WRITE_FAILED.
    """

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Once it returns all of it is durable and can be opened."""

    def abort(self) -> None:
        """Leave nothing behind, also when ``commit`` failed. Raises DataError DELETE_FAILED."""


class FileReader(Protocol):
    """Bytes on their way out of storage, by one thread at a time."""

    def read(self) -> bytes:
        """The next of them, as many as come at once; empty at the end. Raises DataError READ_FAILED."""

    def close(self) -> None:
        """Safe twice."""


class FileStorage(Protocol):
    """Where bytes lie, by the id of their file. Any thread may call it; every method may wait."""

    def begin(self, file_id: str) -> FileWriter:
        """Raises DataError WRITE_FAILED."""

    def open(self, file_id: str, start: int, end: int) -> FileReader:
        """The bytes from ``start`` up to before ``end``. Raises DataError FILE_NOT_FOUND or READ_FAILED."""

    def delete(self, file_id: str) -> None:
        """Remove what there is under this id, begun uploads that nobody continues included; nothing is fine too.
        Raises DataError DELETE_FAILED."""


class FileIndex(Protocol):
    """The entries of files. Any thread may call it; what a method changed is durable when it returns.

    An id is *loose* while bytes may lie under it that belong to no entry: from before an upload's first byte to
    its entry, and from the entry's removal until the bytes are gone too. A loose id is *doomed* once nobody may
    make an entry of it. So an entry always has its bytes, and bytes without one are always known.
    """

    def begin(self, file_id: str, now_s: int) -> None:
        """Make an id loose."""

    def add(self, file: StoredFile) -> bool:
        """Make an entry of a loose id; false, and nothing is made, when that is doomed or forgotten."""

    def get(self, file_id: str) -> StoredFile | None: ...

    def page(self, user_id: str | None, after: str | None, limit: int) -> Sequence[StoredFile]:
        """The next files behind an id, in the order of ids, which is that of uploading; one owner's or all."""

    def doom(self, file_id: str, now_s: int) -> bool:
        """Remove the entry and leave its id doomed; whether there was one."""

    def doom_begun(self, before_s: int) -> None:
        """Doom the uploads that began before."""

    def doomed(self, limit: int) -> Sequence[str]: ...

    def forget(self, file_id: str) -> None:
        """The bytes under a loose id are gone."""


class FileDraft(Protocol):
    """A file being uploaded, by one thread."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> StoredFile:
        """The file, durable and readable from now on."""

    def abort(self) -> None:
        """Leave nothing behind. Never raises; does nothing after ``commit``."""
