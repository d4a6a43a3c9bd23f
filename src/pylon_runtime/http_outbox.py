"""The answer that one connection is sending: what the kernel has not taken of it, and where more of it comes from.

Nothing waits for the client: what does not go at once stays here until the kernel takes more. Used by the thread
that owns the connection.
"""

import socket

from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_stream import BodySource

_JOIN_BYTES_MAX = 32 << 10
"""Up to here one ``send`` of head and body joined is cheaper than ``sendmsg`` of both."""

_SENDS_MAX = 16
"""Pieces sent before other connections have their turn."""


class Outbox:
    __slots__ = ("_limits", "_moved", "_socket", "_source", "_started", "deadline", "is_blocked", "unsent")

    def __init__(self, sock: socket.socket, limits: ServerLimits) -> None:
        self._socket = sock
        self._limits = limits
        self._source: BodySource | None = None
        """What more of the answer comes from."""
        self._started = 0.0
        self._moved = 0
        self.unsent: memoryview | None = None
        """What of the answer the kernel has not taken; not ``None`` as long as there is a source, either."""
        self.is_blocked = False
        """The kernel takes no more for now."""
        self.deadline = 0.0
        """While something is unsent: when the client has stalled or is too slow."""

    def send(self, head: bytes, body: bytes, now: float) -> bool:
        """Begin an answer; whether all of it is sent."""
        size = len(head) + len(body)
        try:
            sent = (
                self._socket.send(head + body) if size <= _JOIN_BYTES_MAX else self._socket.sendmsg((head, body))
            )
        except BlockingIOError:
            sent = 0
        if sent == size:
            return True
        if sent < len(head):
            self._keep(memoryview(head + body)[sent:], now)
        else:
            self._keep(memoryview(body)[sent - len(head) :], now)
        self.is_blocked = True
        return False

    def send_from(self, head: bytes, source: BodySource, now: float) -> bool:
        """Begin an answer whose body comes from a source, which is the outbox's to close; whether all is sent."""
        self._source = source
        self._keep(memoryview(head + source.read()), now)
        return self.flush(now)

    def flush(self, now: float) -> bool:
        """Send more; whether all is sent. If not, and unless it is blocked, it is others' turn."""
        unsent = self.unsent
        assert unsent is not None
        self.is_blocked = True
        for _ in range(_SENDS_MAX):
            try:
                sent = self._socket.send(unsent)
            except BlockingIOError:
                return False
            self._moved += sent
            if sent < len(unsent):
                self.unsent = unsent[sent:]
                self._set_deadline(now)
                return False
            unsent = self._next_unsent()
            if unsent is None:
                return True
        self.is_blocked = False
        self._set_deadline(now)
        return False

    def close(self) -> None:
        self.unsent = None
        if self._source is not None:
            self._source.close()
            self._source = None

    def _keep(self, unsent: memoryview, now: float) -> None:
        self.unsent = unsent
        self._started = now
        self._moved = 0
        self._set_deadline(now)

    def _next_unsent(self) -> memoryview | None:
        piece = b"" if self._source is None else self._source.read()
        if piece:
            self.unsent = memoryview(piece)
        else:
            self.close()
        return self.unsent

    def _set_deadline(self, now: float) -> None:
        self.deadline = self._limits.pace_deadline(self._started, self._moved, now)
