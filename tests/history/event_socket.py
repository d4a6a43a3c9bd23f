"""The sync WebSocket as a Python client uses it: with deadlines, and noticing when nobody is there any more.

Messages are texts and, of documents, bytes.
"""

import select
import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import msgspec
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request, TextMessage

DEADLINE_S = 3.0
PING_EVERY_S = 1.0


class SocketEndedError(OSError):
    """It was closed, refused, or silent for too long."""


class EventSocket:
    """Open from ``__init__`` on; one thread uses it."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._heard_at = time.monotonic()
        self._pinged_at = self._heard_at
        self._message: list[str | bytes | bytearray] = []
        try:
            request = Request(host="localhost", target="/api/sync/ws", subprotocols=[f"bearer.{token}"])
            self._socket.sendall(self._protocol.send(request))
            self._early = self._await_opening()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()

    def say(self, message: dict[str, Any]) -> None:
        self._socket.sendall(self._protocol.send(TextMessage(msgspec.json.encode(message).decode())))

    def receive(self, patience_s: float) -> Iterator[str | bytes]:
        """The messages that are there, after waiting for some if there are none."""
        early, self._early = self._early, []
        events = early or self._events(patience_s)
        for event in events:
            if isinstance(event, TextMessage | BytesMessage):
                self._message.append(event.data)
                if event.message_finished:
                    pieces, self._message = self._message, []
                    yield _whole(pieces)
            elif isinstance(event, Ping):
                self._socket.sendall(self._protocol.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise SocketEndedError(f"closed with {event.code}")
        self._look_after()

    def _await_opening(self) -> list[Event]:
        events: list[Event] = []
        while not events:
            events = self._events(DEADLINE_S)
            if time.monotonic() - self._heard_at > DEADLINE_S:
                raise SocketEndedError("it did not open")
        if not isinstance(events[0], AcceptConnection):
            raise SocketEndedError(f"refused: {events[0]}")
        return events[1:]

    def _events(self, patience_s: float) -> list[Event]:
        readable, _, _ = select.select([self._socket], [], [], patience_s)
        if readable:
            data = self._socket.recv(65536)
            if not data:
                raise SocketEndedError("it ended")
            self._protocol.receive_data(data)
            self._heard_at = time.monotonic()
        return list(self._protocol.events())

    def _look_after(self) -> None:
        now = time.monotonic()
        if now - self._heard_at > DEADLINE_S:
            raise SocketEndedError("it is silent")
        if now - self._pinged_at > PING_EVERY_S:
            self._pinged_at = now
            self._socket.sendall(self._protocol.send(Ping(payload=b"there?")))


def _whole(pieces: list[Any]) -> str | bytes:
    """A message is of one kind from its first frame on."""
    empty: Any = type(pieces[0])()
    joined: str | bytes = empty.join(pieces)
    return joined
