"""The event stream as a client without WebSockets uses it: with a deadline, each event as it comes."""

import select
import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import msgspec

OPENING_S = 3.0
SILENT_S = 30.0
"""The server says something every 25 seconds."""


class StreamEndedError(OSError):
    """It ended, was refused, or is silent for too long."""


class EventStream:
    """Open from ``__init__`` on; one thread uses it."""

    def __init__(self, port: int, token: str, last_event_id: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=OPENING_S)
        self._received = b""
        self._heard_at = time.monotonic()
        lines = [
            "GET /api/sync/events HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token}",
            # Libraries send it. It means nothing here: the server begins with the last minute in any case.
            f"Last-Event-ID: {last_event_id}",
        ]
        try:
            self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
            self._await_opening()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()

    def receive(self, patience_s: float) -> Iterator[dict[str, Any]]:
        """The events that are there, after waiting for some if there are none."""
        self._wait(patience_s)
        *blocks, self._received = self._received.split(b"\n\n")
        for block in blocks:
            if not block.startswith(b":"):
                yield msgspec.json.decode(block.removeprefix(b"data: "))
        if time.monotonic() - self._heard_at > SILENT_S:
            raise StreamEndedError("it is silent")

    def _await_opening(self) -> None:
        while b"\r\n\r\n" not in self._received:
            self._wait(OPENING_S)
            if time.monotonic() - self._heard_at > OPENING_S:
                raise StreamEndedError("it did not open")
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise StreamEndedError(f"refused: {head[:40]!r}")

    def _wait(self, patience_s: float) -> None:
        readable, _, _ = select.select([self._socket], [], [], patience_s)
        if readable:
            data = self._socket.recv(65536)
            if not data:
                raise StreamEndedError("it ended")
            self._received += data
            self._heard_at = time.monotonic()
