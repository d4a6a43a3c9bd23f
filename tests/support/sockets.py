"""Sockets as tests see them: a listener that calls an endpoint, and clients that show every frame and line."""

import itertools
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    TextMessage,
)
from wsproto.events import Request as UpgradeRequest

from pylon_http import Request
from pylon_runtime.hub.endpoint import SocketEndpoint

WAIT_S = 10.0


class Listener:
    """Accepts sockets on a free port, reads each one's request head, calls the endpoint on a thread of its own."""

    def __init__(self, endpoint: SocketEndpoint, *, send_buffer: int | None = None) -> None:
        self._endpoint = endpoint
        self._send_buffer = send_buffer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._socket.getsockname()[1])
        self.failures: list[BaseException] = []
        self.threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="test-acceptor")
        self._acceptor.start()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join(WAIT_S)
        self.join_workers()

    def join_workers(self) -> None:
        """Wait until every socket accepted so far has been served."""
        for thread in self.threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "a reader did not end"

    def _accept(self) -> None:
        while True:
            try:
                sock, (peer, _) = self._socket.accept()
            except OSError:
                return
            if self._send_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
            thread = threading.Thread(target=self._serve, args=(sock, peer), name="test-worker")
            thread.start()
            self.threads.append(thread)

    def _serve(self, sock: socket.socket, peer: str) -> None:
        with sock:
            received = b""
            while b"\r\n\r\n" not in received:
                data = sock.recv(65536)
                if not data:
                    return
                received += data
            head, _, buffered = received.partition(b"\r\n\r\n")
            try:
                self._endpoint(_request(head.decode("latin-1"), peer), sock, buffered)
            except Exception as error:  # noqa: BLE001 - the top of a thread; the fixture fails the test
                self.failures.append(error)


def _request(head: str, peer: str) -> Request:
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, target, headers, b"", headers.get("x-peer", peer))


class WireClient:
    """A WebSocket client that answers nothing by itself and forgets no frame."""

    def __init__(
        self,
        port: int,
        name: str | None = "ann",
        *,
        target: str = "/",
        headers: Sequence[tuple[bytes, bytes]] = (),
        receive_buffer: int | None = None,
        sent_along: bytes = b"",
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(("127.0.0.1", port))
        self.ws = WSConnection(ConnectionType.CLIENT)
        subprotocols = [] if name is None else [f"bearer.{name}"]
        request = UpgradeRequest(
            host="localhost", target=target, subprotocols=subprotocols, extra_headers=list(headers)
        )
        self.sock.sendall(self.ws.send(request) + sent_along)
        self._events: Iterator[Event] = self._receive()
        self.opening = next(self._events)
        self.pongs: list[bytes] = []
        self.pings = 0
        self.binaries: list[bytes] = []

    def _receive(self) -> Iterator[Event]:
        text, binary = "", b""
        while True:
            for event in self.ws.events():
                if isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        yield TextMessage(data=text)
                        text = ""
                elif isinstance(event, BytesMessage):
                    binary += event.data
                    if event.message_finished:
                        yield BytesMessage(data=binary)
                        binary = b""
                else:
                    yield event
            data = self.sock.recv(65536)
            if not data:
                return
            self.ws.receive_data(data)

    @property
    def subprotocol(self) -> str | None:
        assert isinstance(self.opening, AcceptConnection), self.opening
        return self.opening.subprotocol

    @property
    def is_refused(self) -> bool:
        return isinstance(self.opening, RejectConnection)

    @property
    def refused_with(self) -> int:
        assert isinstance(self.opening, RejectConnection), self.opening
        return self.opening.status_code

    @property
    def retry_after(self) -> str | None:
        assert isinstance(self.opening, RejectConnection), self.opening
        return {name.lower(): value.decode() for name, value in self.opening.headers}.get(b"retry-after")

    def send(self, event: Event) -> None:
        self.sock.sendall(self.ws.send(event))

    def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
        self.send(TextMessage(data=text))

    def messages(self) -> Iterator[dict[str, Any]]:
        """Text messages as they come, until the server closes; the closing is kept in ``closed_with``, binary
        messages in ``binaries``."""
        for event in self._events:
            if isinstance(event, TextMessage):
                yield msgspec.json.decode(event.data)
            elif isinstance(event, Pong):
                self.pongs.append(bytes(event.payload))
            elif isinstance(event, Ping):
                self.pings += 1
            elif isinstance(event, CloseConnection):
                self.closed_with = event.code
                return
            elif isinstance(event, BytesMessage):
                self.binaries.append(bytes(event.data))
        self.closed_with = None

    closed_with: int | None = None

    def await_ping(self) -> None:
        while not isinstance(next(self._events), Ping):
            pass

    def ping(self, payload: bytes) -> bytes:
        """Ping the server; what its pong carries."""
        self.send(Ping(payload=payload))
        event = next(self._events)
        assert isinstance(event, Pong), event
        return bytes(event.payload)

    def await_served(self) -> None:
        """Until the server has served everything said so far; what came in the meantime, documents aside, is
        passed over."""
        self.send(Ping(payload=b"served"))
        for event in self._events:
            if isinstance(event, BytesMessage):
                self.binaries.append(bytes(event.data))
            elif isinstance(event, Pong) and bytes(event.payload) == b"served":
                return

    def next(self) -> dict[str, Any]:
        return next(self.messages())

    def next_binary(self) -> bytes:
        """Of the messages so far or to come; text is passed over."""
        while not self.binaries:
            event = next(self._events)
            if isinstance(event, BytesMessage):
                return bytes(event.data)
            assert not isinstance(event, CloseConnection), event
        return self.binaries.pop(0)

    def seqs(self, count: int) -> list[int]:
        """Of the next change events; other messages are passed over."""
        changes = (message["seq"] for message in self.messages() if "seq" in message)
        return list(itertools.islice(changes, count))

    def close_code(self) -> int | None:
        """Read to the end of the connection; the code of the server's close frame."""
        for _ in self.messages():
            pass
        return self.closed_with

    def ends_within_patience(self) -> bool:
        """Whether the server ends the connection, by a close frame or not."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def everything(self) -> list[dict[str, Any]]:
        return list(self.messages())

    def leave(self) -> None:
        """Say goodbye and wait until the server has closed too."""
        if isinstance(self.ws.connection, Connection) and self.closed_with is None:
            with suppress(OSError):
                self.send(CloseConnection(code=1000))
                self.close_code()
        self.sock.close()

    def drop(self) -> None:
        self.sock.close()


class StreamClient:
    """A client of an event stream; reads lines, and understands none of them by itself."""

    def __init__(
        self,
        port: int,
        name: str | None = None,
        *,
        request: str = "GET /events HTTP/1.1",
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(("127.0.0.1", port))
        sent = {"Host": f"127.0.0.1:{port}", **(headers or {})}
        if name is not None:
            sent["Authorization"] = f"Bearer {name}"
        lines = [request, *(f"{key}: {value}" for key, value in sent.items())]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        self._received = b""
        status, *lines = self._until(b"\r\n\r\n").decode().split("\r\n")
        self.status_line = status
        self.status = int(status.split(" ")[1])
        self.headers = dict(line.split(": ", 1) for line in lines)

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self._received)
            self._received += data
        found, _, self._received = self._received.partition(end)
        return found

    def block(self) -> str:
        """What stands before the next blank line."""
        return self._until(b"\n\n").decode()

    def messages(self) -> Iterator[dict[str, Any]]:
        """The events as they come, until the server ends the stream; comments are passed over."""
        with suppress(EOFError):
            while True:
                block = self.block()
                if not block.startswith(":"):
                    assert block.startswith("data: "), block
                    yield msgspec.json.decode(block.removeprefix("data: "))

    def next(self) -> dict[str, Any]:
        return next(self.messages())

    def seqs(self, count: int) -> list[int]:
        return [message["seq"] for message in itertools.islice(self.messages(), count)]

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while data := self.sock.recv(65536):
            self._received += data
        return self._received

    def drop(self) -> None:
        self.sock.close()
