"""Answers of a known size that are not in memory: sent as the client takes them, and no thread waits for that."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from pylon_core.errors import PylonError
from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_stream import SizedResponse
from pylon_runtime.server import PylonServer
from tests.pylon_runtime.server_rig import RawClient, get, running
from tests.support.waiting import until

PIECE = b"0123456789abcdef" * 4096


class Source:
    """``count`` equal pieces, then perhaps a failure; remembers what was done with it."""

    def __init__(self, count: int, failure: Exception | None = None) -> None:
        self.left = count
        self.failure = failure
        self.given = 0
        self.closed = threading.Event()

    def read(self) -> bytes:
        if not self.left:
            if self.failure is not None:
                raise self.failure
            return b""
        self.left -= 1
        self.given += 1
        return PIECE

    def close(self) -> None:
        self.closed.set()


def answer(source: Source, count: int, request: Request) -> Response:
    if request.target != "/file":
        return Response.json({})
    return SizedResponse(200, b"", "text/plain", size=count * len(PIECE), open=lambda: source)


@contextmanager
def sending(source: Source, count: int, limits: ServerLimits | None = None) -> Iterator[PylonServer]:
    with running(partial(answer, source, count), limits=limits) as server:
        yield server


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_all_of_it_arrives_and_the_connection_goes_on(count: int) -> None:
    source = Source(count)

    with sending(source, count) as server, RawClient(server.port) as client:
        reply = client.get("/file")
        after = client.get("/other")

    assert (reply.status, reply.body) == (200, PIECE * count)
    assert (after.status, source.closed.is_set()) == (200, True)


def test_head_opens_nothing() -> None:
    source = Source(3)

    with sending(source, 3) as server, RawClient(server.port) as client:
        reply = client.ask(get("/file").replace(b"GET", b"HEAD"), head=True)
        after = client.get("/other")

    assert (reply.headers["content-length"], source.given, after.status) == (str(3 * len(PIECE)), 0, 200)


def test_requests_behind_it_are_answered_after_it() -> None:
    with sending(Source(50), 50) as server, RawClient(server.port) as client:
        client.send(get("/file") + get("/other"))

        assert client.reply().body == PIECE * 50
        assert client.reply().body == b"{}"


def test_a_slow_client_holds_a_piece_and_no_thread() -> None:
    source = Source(4000)

    with sending(source, 4000, ServerLimits(active_threads=1, turn_s=10.0)) as server:
        slow = RawClient(server.port, _small_socket())
        slow.send(get("/file"))
        until(lambda: source.given > 0)
        with RawClient(server.port) as other:
            replies = [other.get("/other").status for _ in range(20)]
        given = source.given
        slow.socket.close()
        assert source.closed.wait(10)

    assert replies == [200] * 20
    assert given < 200


def test_a_client_that_takes_nothing_is_dropped() -> None:
    source = Source(4000)

    with sending(source, 4000, ServerLimits(progress_timeout_s=0.2)) as server:
        slow = RawClient(server.port, _small_socket())
        slow.send(get("/file"))

        assert source.closed.wait(10)
        slow.socket.close()


@pytest.mark.parametrize(
    "failure", [OSError("gone"), RuntimeError("a bug")], ids=lambda error: type(error).__name__
)
def test_a_body_that_breaks_off_breaks_the_connection(failure: Exception) -> None:
    source = Source(2, failure)

    with sending(source, 3) as server, RawClient(server.port) as client:
        client.send(get("/file"))
        client.until(b"\r\n\r\n")

        assert len(client.rest()) == 2 * len(PIECE)
    assert source.closed.is_set()


def test_what_cannot_be_opened_is_an_error_like_any_other() -> None:
    def refuse() -> Source:
        raise PylonError("FILE_NOT_FOUND", "There is no such file.")

    with (
        running(lambda request: SizedResponse(200, b"", size=5, open=refuse)) as server,
        RawClient(server.port) as client,
    ):
        replies = [client.get() for _ in range(2)]

    assert [(reply.status, reply.code) for reply in replies] == [(404, "FILE_NOT_FOUND")] * 2


def _small_socket() -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return sock
