"""Connections to one database file: how they are opened, and the pool of readers.

SQLite is the one that apsw carries (the system's may have the WAL-reset bug). The writer commits with
``synchronous=FULL``: an acknowledged write survives a power cut. Only the writer checkpoints.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from pylon_storage.search.relevance import RELEVANCE, relevance
from pylon_storage.sqlite.translate import opening

READERS_MAX = 64
"""So many functions may be in the middle of their reads; to open a reader takes longer than a query."""
READER_CACHE_KIB = 2 * 1024
"""Each commit makes a reader's cache worthless; the system's serves them all."""
SURVEYOR_CACHE_KIB = 4 * 1024
"""What sorting takes of memory; the rest of it is done in a temporary file."""
WRITER_CACHE_KIB = 32 * 1024
BUSY_TIMEOUT_MS = 5_000
STATEMENTS_MAX = 256


def open_writer(path: Path, *, durable: bool, vfs: str | None = None) -> apsw.Connection:
    """The one connection that writes. ``durable`` false is for databases that do not outlive the process."""
    connection = apsw.Connection(str(path), statementcachesize=STATEMENTS_MAX, vfs=vfs)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full" if durable else "off")
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("cache_size", -WRITER_CACHE_KIB)
    connection.pragma("temp_store", "memory")
    connection.register_fts5_function(RELEVANCE, relevance)
    return connection


def open_reader(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    connection = apsw.Connection(
        str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=STATEMENTS_MAX, vfs=vfs
    )
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("query_only", 1)
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("cache_size", -READER_CACHE_KIB)
    connection.register_fts5_function(RELEVANCE, relevance)
    return connection


def open_surveyor(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """A connection that may write to temporary tables, and has no business with any others."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("cache_size", -SURVEYOR_CACHE_KIB)
    return connection


class ReaderPool:
    """Readers of one file, last used first. Any thread may borrow.

    The deque is safe by itself; the lock guards ``_generation`` and ``_closed``, so that a reader borrowed
    before ``discard`` or ``close`` is closed and not kept when it comes back.
    """

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        self._path = path
        self._vfs = vfs
        self._idle: deque[apsw.Connection] = deque()
        self._lock = threading.Lock()
        self._generation = 0
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[apsw.Connection]:
        generation = self._generation
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection, generation)

    @property
    def generation(self) -> int:
        return self._generation

    def take(self) -> apsw.Connection:
        """Raises DataError NOT_AVAILABLE when there is none and no more can be opened."""
        try:
            return self._idle.pop()
        except IndexError:
            with opening():
                return open_reader(self._path, vfs=self._vfs)

    def give_back(self, connection: apsw.Connection, generation: int) -> None:
        with self._lock:
            keep = generation == self._generation and not self._closed and len(self._idle) < READERS_MAX
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def discard(self) -> None:
        """Close every idle reader, and each borrowed one as it comes back."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.discard()
