"""Where bytes from outside meet a document: a process of its own, beside the server.

Loro reads what it is given in native code, and hostile bytes can make that run for minutes, take gigabytes, or
end the process. So one process for each store merges updates, with a deadline and a limit of memory. When it
ends, what it was doing is refused and the next update gets a new one. While it works, other threads of the
server do.

    none --(an update)--> idle --(an update)--> merging --(an answer)--> idle
    merging --(it ends, or the deadline)--> none

Any thread may call ``merge``. ``_turn`` is held by the one whose update is merged, across the exchange, which
has a deadline; the others wait for it without a turn to compute, no longer than their own merge might take, and
only so many.
"""

import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_storage.crdt import limits

MERGE_SECONDS = 2.0
START_SECONDS = 10.0
"""For the first update, which the process first has to start for."""
WAITING_MAX = 64
"""Merges under way and waiting. Each keeps a thread, and threads are for other requests too."""

_PROGRAM = Path(__file__).with_name("quarantined.py")
_LENGTH_BYTES = 4
_ENVIRONMENT = ("PYTHON", "LD_", "LANG", "LC_", "PATH", "HOME")
"""Variables that Python needs. What reads hostile bytes gets nobody's secrets."""

log = structlog.get_logger("pylon.storage")


class Quarantine:
    """``merge_s`` is how long one merge may take."""

    def __init__(self, merge_s: float = MERGE_SECONDS) -> None:
        self._merge_s = merge_s
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(WAITING_MAX)
        self._process: _Process | None = None
        self._closed = False

    def merge(self, snapshot: bytes, update: bytes, within_s: float = math.inf) -> bytes | None:
        """A document with an update, as a snapshot that is safe to open; ``None`` when it had all of it before.

        ``within_s`` is for whoever keeps others waiting meanwhile. Raises DataError CRDT_DECODE_FAILED for what is
        no update of this document, PAYLOAD_TOO_LARGE when it would become too large, NOT_AVAILABLE when it takes
        too long.
        """
        if len(update) > limits.UPDATE_BYTES_MAX:
            raise limits.too_large()
        patience = min(self._merge_s, within_s)
        with blocking(), self._taking_turns(patience):
            verdict, merged = self._exchange(snapshot, update, patience)
        match verdict:
            case b"merged":
                return merged
            case b"unchanged":
                return None
            case b"incomplete":
                raise DataError(
                    "CRDT_DECODE_FAILED",
                    "The update builds on edits that this document has not.",
                    hint="Subscribe to the row again for its document, and send all that it lacks.",
                )
            case b"another":
                raise DataError(
                    "CRDT_DECODE_FAILED",
                    "The update belongs to another document than the one that this row has now.",
                    hint="Subscribe to the row again and begin from its document. The two cannot be merged.",
                )
            case b"too large":
                raise limits.too_large()
            case _:
                raise _unreadable()

    def close(self) -> None:
        """End the process. Safe twice."""
        self._closed = True  # before it waits, so that it waits for one merge and not for all
        with self._turn:
            self._end()

    @contextmanager
    def _taking_turns(self, patience: float) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turn.acquire(timeout=patience):
                raise _busy()
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def _exchange(self, snapshot: bytes, update: bytes, patience: float) -> tuple[bytes, bytes]:
        if self._closed:
            raise DataError("NOT_AVAILABLE", "The database is closed.")
        if self._process is not None and not self._process.is_alive():
            self._end()  # by somebody else's hand, and no fault of this update
        if self._process is None:
            self._process = _Process()
            patience += START_SECONDS
        try:
            return self._process.exchange(snapshot, update, patience)
        except TimeoutError:
            self._end()
            log.warning("document_merge_timeout", update_bytes=len(update))
            raise DataError("NOT_AVAILABLE", "The update takes too long to merge. Try again.") from None
        except OSError:
            self._end()
            log.warning("document_merge_crashed", update_bytes=len(update))
            raise _unreadable() from None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


class _Process:
    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM), str(limits.DOCUMENT_BYTES_MAX)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name.startswith(_ENVIRONMENT)},
            )
        except OSError as error:
            self._channel.close()
            raise DataError("NOT_AVAILABLE", "No process can be started to merge the update.") from error
        finally:
            theirs.close()

    def exchange(self, snapshot: bytes, update: bytes, seconds: float) -> tuple[bytes, bytes]:
        """Raises ``TimeoutError``, and another ``OSError`` when the process has ended."""
        deadline = time.monotonic() + seconds
        request = len(snapshot).to_bytes(_LENGTH_BYTES) + snapshot + update
        self._channel.settimeout(seconds)
        self._channel.sendall(len(request).to_bytes(_LENGTH_BYTES) + request)
        answer = self._read(int.from_bytes(self._read(_LENGTH_BYTES, deadline)), deadline)
        verdict, _, merged = answer.partition(b"\n")
        return verdict, merged

    def is_alive(self) -> bool:
        return self._child.poll() is None

    def end(self) -> None:
        self._channel.close()
        self._child.kill()
        self._child.wait()

    def _read(self, count: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            part = self._channel.recv(count - len(parts))
            if not part:
                raise ConnectionResetError
            parts += part
        return bytes(parts)


def _busy() -> DataError:
    return DataError("NOT_AVAILABLE", "Too many updates of documents are being merged. Try again.")


def _unreadable() -> DataError:
    return DataError("CRDT_DECODE_FAILED", "The update is no Loro data that this document could take.")
