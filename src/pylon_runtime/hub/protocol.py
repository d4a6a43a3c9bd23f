"""The WebSocket protocol of one socket, by simple_websocket, on the thread that calls ``serve``.

simple_websocket would start a thread, keep a queue of messages and write to the socket itself. Here the
calling thread is the reader, messages go to a callback as they are complete, and what the protocol wants sent
goes through ``ReaderSocket``, which a registered connection points at its hub. One thread uses an instance.
"""

import socket
from collections.abc import Callable
from typing import Any

import simple_websocket  # type: ignore[import-untyped]  # the package has no type information

_RECEIVE_BYTES = 2048
"""The reader waits inside ``recv`` with a buffer of this size, so every idle socket pays for it."""


class ReaderSocket:
    """What the protocol takes for its socket: reads count as signs of life, writes go to ``transmit``."""

    def __init__(self, sock: socket.socket, buffered: bytes) -> None:
        self._sock = sock
        self._buffered = buffered
        self.transmit: Callable[[bytes], object] = sock.sendall
        self.heard: Callable[[], None] = _ignore

    def recv(self, size: int) -> bytes:
        if self._buffered:
            data, self._buffered = self._buffered[:size], self._buffered[size:]
        else:
            data = self._sock.recv(size)
        self.heard()
        return data

    def send(self, data: bytes) -> None:
        self.transmit(data)

    def close(self) -> None:
        """Closing is the endpoint's, once the hub has let go."""


class ServerProtocol(simple_websocket.Server):  # type: ignore[misc]  # its base is untyped
    """Completes the handshake when made, then reads in ``serve`` until either side has closed."""

    ws: Any
    environ: dict[str, Any]
    incoming_message: str | bytearray | None

    def __init__(
        self,
        sock: ReaderSocket,
        key: str,
        version: str,
        subprotocol: str | None,
        message_bytes_max: int,
        kept_bytes_max: int,
    ) -> None:
        self._chosen_subprotocol = subprotocol
        self._kept_bytes_max = kept_bytes_max
        self._beginning: str | bytearray | None = None
        """Of a message that is longer."""
        self._on_text: Callable[[str], None] = _ignore_text
        # Extensions are not passed on: compression would cost each connection tens of kilobytes.
        environ = {
            "werkzeug.socket": sock,
            "HTTP_HOST": "localhost",
            "HTTP_CONNECTION": "Upgrade",
            "HTTP_UPGRADE": "websocket",
            "HTTP_SEC_WEBSOCKET_KEY": key,
            "HTTP_SEC_WEBSOCKET_VERSION": version,
        }
        if subprotocol is not None:
            environ["HTTP_SEC_WEBSOCKET_PROTOCOL"] = subprotocol
        super().__init__(
            environ,
            receive_bytes=_RECEIVE_BYTES,
            max_message_size=message_bytes_max,
            thread_class=_CallingThread,
            event_class=_NobodyWaits,
        )

    def choose_subprotocol(self, _request: object) -> str | None:
        return self._chosen_subprotocol

    def serve(self, on_text: Callable[[str], None]) -> None:
        """Read until the connection ends; text messages go to ``on_text``, binary ones nowhere. Of a text that is
        longer than ``kept_bytes_max`` comes the beginning, which is longer, too."""
        self._on_text = on_text
        self._thread()

    def handshake(self) -> None:
        super().handshake()
        # The HTTP half of the protocol and the request are done with; an idle socket should not keep them.
        self.ws = self.ws.connection
        self.environ = {}

    def _handle_events(self) -> bool:
        keep_going: bool = super()._handle_events()
        while self.input_buffer:
            message = self.input_buffer.pop(0)
            beginning, self._beginning = self._beginning, None
            if isinstance(message, str):
                self._on_text(message if beginning is None else _text(beginning))
        if self.incoming_message_len > self._kept_bytes_max:
            # Nobody wants a message this long: it is counted against the limit, but not kept.
            self._beginning = self._beginning or self.incoming_message
            self.incoming_message = bytearray()
        return keep_going


class _CallingThread:
    """Stands in for the thread that simple_websocket would start."""

    def __init__(self, target: Callable[[], None]) -> None:  # noqa: ARG002 - the signature is a thread's
        self.name = ""

    def start(self) -> None:
        pass


class _NobodyWaits:
    """Stands in for the event that simple_websocket sets for threads that wait in ``receive``."""

    def set(self) -> None:
        pass


def _text(message: str | bytearray) -> str:
    return message if isinstance(message, str) else message.decode()


def _ignore() -> None:
    pass


def _ignore_text(text: str) -> None:
    pass
