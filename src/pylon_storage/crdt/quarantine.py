"""Where bytes from outside meet a document: a process of its own, beside the server.

Loro reads what it is given in native code, and hostile bytes can make that run for minutes, take gigabytes, or
end the process. So one process for each store merges updates, with a deadline and a limit of memory. When it
ends, what it was doing is refused and the next update gets a new one. While it works, other threads of the
server do.

    none --(an update)--> idle --(an update)--> merging --(an answer)--> idle
    merging --(it ends, or the deadline)--> none

Any thread may call ``merge``. ``_turn`` is held by the one whose update is merged, across the exchange, which
has a deadline; the others wait for it without a turn to compute.
"""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_storage.crdt import limits

MERGE_SECONDS = 2.0
START_SECONDS = 10.0
"""For the first update, which the process first has to start for."""

_PROGRAM = Path(__file__).with_name("quarantined.py")
_LENGTH_BYTES = 4

log = structlog.get_logger("pylon.storage")


class Quarantine:
    """``merge_s`` is how long one merge may take."""

    def __init__(self, merge_s: float = MERGE_SECONDS) -> None:
        self._merge_s = merge_s
        self._turn = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    def merge(self, snapshot: bytes, update: bytes) -> bytes | None:
        """A document with an update, as a snapshot that is safe to open; ``None`` when it had all of it before.

        Raises DataError CRDT_DECODE_FAILED for what is no update of this document, PAYLOAD_TOO_LARGE when it
        would become too large, NOT_AVAILABLE when it takes too long.
        """
        if len(update) > limits.UPDATE_BYTES_MAX:
            raise limits.too_large()
        with blocking(), self._turn:
            verdict, merged = self._exchange(snapshot, update)
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
            case b"too large":
                raise limits.too_large()
            case _:
                raise _unreadable()

    def close(self) -> None:
        """End the process. Safe twice."""
        with self._turn:
            self._closed = True
            self._end()

    def _exchange(self, snapshot: bytes, update: bytes) -> tuple[bytes, bytes]:
        if self._closed:
            raise DataError("NOT_AVAILABLE", "The database is closed.")
        patience = self._merge_s
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


def _unreadable() -> DataError:
    return DataError("CRDT_DECODE_FAILED", "The update is no Loro data that this document could take.")
