"""Answers that are made while they are sent: whole and marked as such, or visibly broken off."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pylon_core.errors import PylonError
from pylon_http import Request, Response, StreamedResponse
from pylon_runtime.made_bodies import made_while_sent
from pylon_runtime.server import PylonServer
from pylon_runtime.wsgi import WsgiApp
from tests.pylon_runtime.gateway_rig import GatewayRig
from tests.pylon_runtime.server_rig import RawClient, get, running
from tests.support.waiting import until

END = b"0\r\n\r\n"


class Pieces:
    """Gives its pieces, then perhaps fails; remembers whether it was closed."""

    def __init__(self, *pieces: bytes, failure: Exception | None = None) -> None:
        self._pieces = pieces
        self._failure = failure
        self.given = 0
        self.ended = False

    def __call__(self) -> Generator[bytes, None, None]:
        try:
            for piece in self._pieces:
                self.given += 1
                yield piece
            if self._failure is not None:
                raise self._failure
        finally:
            self.ended = True


def answer(pieces: Callable[[], Generator[bytes, None, None]], _request: Request) -> Response:
    return made_while_sent(StreamedResponse(pieces))


@contextmanager
def sending(pieces: Pieces) -> Iterator[PylonServer]:
    with running(partial(answer, pieces)) as server:
        yield server


def ask(server: PylonServer, request: bytes) -> tuple[bytes, bytes]:
    with RawClient(server.port) as client:
        client.send(request)
        head, _, body = client.rest().partition(b"\r\n\r\n")
    return head, body


def test_the_pieces_are_chunks_and_the_end_is_marked() -> None:
    pieces = Pieces(b"[1,", b"2]")

    with sending(pieces) as server:
        head, body = ask(server, get("/"))

    assert b"200 OK" in head
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body == b"3\r\n[1,\r\n2\r\n2]\r\n" + END
    assert pieces.ended


def test_an_old_client_gets_them_as_they_are() -> None:
    with sending(Pieces(b"[1,", b"2]")) as server:
        head, body = ask(server, b"GET / HTTP/1.0\r\n\r\n")

    assert b"Transfer-Encoding" not in head
    assert body == b"[1,2]"


def test_much_more_than_the_kernel_takes_at_once_arrives() -> None:
    piece = b"x" * (1 << 20)

    with sending(Pieces(*[piece] * 12)) as server:
        _, body = ask(server, get("/"))

    assert body.count(b"x") == 12 << 20
    assert body.endswith(END)


def test_what_breaks_off_does_not_look_complete_and_is_logged() -> None:
    with capture_logs() as logs, sending(Pieces(b"[1,", failure=RuntimeError("bug"))) as server:
        _, body = ask(server, get("/"))

    assert body == b"3\r\n[1,\r\n"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["answer_broken_off"]


def test_what_cannot_begin_is_answered_with_the_reason() -> None:
    pieces = Pieces(failure=PylonError("NOT_AVAILABLE", "The database cannot be opened."))

    with sending(pieces) as server, RawClient(server.port) as client:
        reply = client.get()

    assert (reply.status, reply.code) == (503, "NOT_AVAILABLE")


def test_only_the_head_makes_nothing() -> None:
    pieces = Pieces(b"[1,", b"2]")

    with sending(pieces) as server:
        _, body = ask(server, get("/").replace(b"GET", b"HEAD"))

    assert (body, pieces.given) == (b"", 0)


def test_a_client_that_leaves_ends_the_making() -> None:
    pieces = Pieces(*[b"x" * (1 << 20)] * 1_000)

    with sending(pieces) as server:
        with RawClient(server.port) as client:
            client.send(get("/"))
            client.until(b"\r\n\r\n")
        until(lambda: pieces.ended)

    assert pieces.given < 1_000


def serve(pieces: Pieces, method: str = "GET") -> tuple[str, dict[str, str], Any]:
    """Through the gateway, as a WSGI host gets it."""
    rig = GatewayRig()
    rig.answer = lambda: StreamedResponse(pieces)
    started: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/api/export", "SERVER_PROTOCOL": "HTTP/1.1"}
    content = WsgiApp(rig.gateway)(environ, lambda status, headers: started.extend((status, dict(headers))))  # type: ignore[arg-type]  # a host's own
    return started[0], started[1], content


def test_a_wsgi_host_gets_the_pieces_and_no_length() -> None:
    status, headers, content = serve(Pieces(b"[1,", b"2]"))

    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert "Content-Length" not in headers
    assert list(content) == [b"[1,", b"2]"]


def test_a_wsgi_host_learns_that_it_broke_off() -> None:
    _, _, content = serve(Pieces(b"[1,", failure=RuntimeError("bug")))
    pieces = iter(content)

    assert next(pieces) == b"[1,"
    with structlog.testing.capture_logs() as logs, pytest.raises(OSError, match="cannot be made"):
        next(pieces)
    assert [entry["event"] for entry in logs] == ["answer_broken_off"]


def test_a_wsgi_host_that_stops_early_ends_the_making() -> None:
    pieces = Pieces(b"[1,", b"2]")
    _, _, content = serve(pieces)

    next(iter(content))
    content.close()

    assert pieces.ended
