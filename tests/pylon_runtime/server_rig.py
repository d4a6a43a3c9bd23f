"""A real server in this process and a client that sees every byte, for the tests of the HTTP server."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from pylon_core.clock import Clock, SystemClock
from pylon_http import Request, Response
from pylon_runtime.http_handler import Handler, UpgradeHandler
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_writer import HeaderTuples
from pylon_runtime.server import PylonServer
from tests.support.waiting import until

PATIENCE_S = 10.0


SERIAL = ServerLimits(active_threads=1, turn_s=PATIENCE_S)
"""One thing after the other, so that an answer proves that what was sent before has been dealt with."""


class Reply(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        code: str = msgspec.json.decode(self.body)["error"]["code"]
        return code


class RawClient:
    """One connection. Reads replies one at a time; never reads ahead of what it is asked for."""

    def __init__(self, port: int, sock: socket.socket | None = None) -> None:
        self.socket = sock or socket.socket()
        self.socket.settimeout(PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect(("127.0.0.1", port))
        except BaseException:
            self.socket.close()
            raise
        self._buffer = bytearray()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes, *, head: bool = False) -> Reply:
        self.send(data)
        return self.reply(head=head)

    def get(self, target: str = "/") -> Reply:
        return self.ask(get(target))

    def reply(self, *, head: bool = False) -> Reply:
        block = self.until(b"\r\n\r\n")
        lines = block.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = 0 if head else int(headers.get("content-length", "0"))
        return Reply(int(lines[0].split()[1]), headers, self.exactly(length))

    def until(self, end: bytes) -> bytes:
        while (at := self._buffer.find(end)) < 0:
            self._more()
        before = self.exactly(at)
        del self._buffer[: len(end)]
        return before

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def is_closed(self) -> bool:
        """Whether the server ends the connection without another byte."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def rest(self) -> bytes:
        """Everything until the server closes."""
        parts = [bytes(self._buffer)]
        while data := self.socket.recv(1 << 20):
            parts.append(data)
        return b"".join(parts)

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._buffer += data


class FakeClock:
    """Time that moves when told; the server looks at it twice a second."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now_ns(self) -> int:
        return 1_700_000_000_000_000_000

    def monotonic(self) -> float:
        return self.seconds


def get(target: str = "/", *lines: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode("latin-1")


def post(body: bytes, target: str = "/", *lines: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def echo(request: Request) -> Response:
    """What the handler saw."""
    seen = {
        "method": request.method,
        "target": request.target,
        "headers": dict(request.headers),
        "body": request.body.decode("latin-1"),
        "peer": request.peer,
    }
    return Response.json(seen)


def no_upgrade(request: Request, sock: socket.socket, tail: bytes) -> None:
    sock.close()


@contextmanager
def running(
    handle: Handler = echo,
    upgrade: UpgradeHandler = no_upgrade,
    limits: ServerLimits | None = None,
    *,
    clock: Clock | None = None,
    headers: HeaderTuples = (),
    streamed_paths: tuple[str, ...] = (),
) -> Iterator[PylonServer]:
    """A started server, stopped at the end; none of its threads or descriptors may be left."""
    clock = clock or SystemClock()
    before = open_descriptors()
    server = PylonServer(
        "127.0.0.1",
        0,
        handle,
        upgrade,
        limits or ServerLimits(),
        wsgi_app=lambda environ, start_response: [],
        clock=clock,
        headers=headers,
        streamed_paths=streamed_paths,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop(clock.monotonic() + PATIENCE_S)
    assert server.failure is None
    until(lambda: threads_of(server) == [])
    until(lambda: open_descriptors() <= before)


def threads_of(server: PylonServer) -> list[str]:
    prefix = f"http-{server.port}-"
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
