"""What the server refuses, and that the client gets to read why."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from structlog.testing import capture_logs

from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from tests.pylon_runtime.server_rig import SERIAL, FakeClock, RawClient, get, post, running
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        pytest.param(b"NONSENSE\r\n\r\n", 400, "BAD_REQUEST", id="not HTTP"),
        pytest.param(get("/", *[f"X-{n}: 1" for n in range(200)]), 431, "HEADERS_TOO_LARGE", id="many headers"),
        pytest.param(get("/", "X: " + "x" * 40_000), 431, "HEADERS_TOO_LARGE", id="large header"),
        pytest.param(get("/" + "x" * 9000), 414, "URI_TOO_LONG", id="long target"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "BAD_REQUEST",
            id="two framings",
        ),
    ],
)
def test_a_refused_request_is_told_why_and_its_connection_closed(
    request_bytes: bytes, status: int, code: str
) -> None:
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(request_bytes)
        assert client.is_closed()
        with RawClient(server.port) as other:
            assert other.get().status == 200

    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["connection"] == "close"


def test_an_endless_header_is_cut_off() -> None:
    with running() as server, RawClient(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: h\r\nX: ")
        with pytest.raises(OSError, match=r"\[Errno"):
            while True:
                client.send(b"x" * 65536)


def test_a_body_too_large_is_refused_though_it_keeps_coming() -> None:
    """The client sends all of it before it reads: it must be able to, and then find the answer."""
    handled: list[Request] = []

    def handle(request: Request) -> Response:
        handled.append(request)
        return Response(200, b"")

    with running(handle) as server, RawClient(server.port) as client:
        reply = client.ask(post(b"x" * (11 << 20)))
        assert client.is_closed()

    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")
    assert not handled


def test_a_chunked_body_too_large_is_refused_when_it_grows_so() -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(head + piece * 11 + b"0\r\n\r\n")

    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")


def test_a_body_as_large_as_allowed_arrives() -> None:
    with (
        running(lambda request: Response(200, str(len(request.body)).encode())) as server,
        RawClient(server.port) as client,
    ):
        assert client.ask(post(b"x" * (10 << 20))).body == b"10485760"


def test_a_refused_client_that_never_stops_sending_is_cut_off() -> None:
    limits = ServerLimits(linger_bytes_max=1 << 20)
    with running(limits=limits) as server, RawClient(server.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999\r\n\r\n")
        with pytest.raises(OSError, match=r"\[Errno"):
            while True:
                client.send(b"x" * 65536)
        until(lambda: server.connections == 0)


def test_connections_beyond_the_bound_are_told_so() -> None:
    with running(limits=ServerLimits(connections_max=3)) as server:
        kept = [RawClient(server.port) for _ in range(3)]
        assert [client.get().status for client in kept] == [200] * 3

        with RawClient(server.port) as refused:
            reply = refused.reply()
            assert refused.is_closed()
        kept.pop().socket.close()
        until(lambda: server.connections == 2)
        with RawClient(server.port) as later:
            assert later.get().status == 200
        for client in kept:
            client.socket.close()

    assert (reply.status, reply.code) == (503, "NOT_AVAILABLE")


def test_without_descriptors_the_server_waits_for_some() -> None:
    with running() as server, RawClient(server.port) as kept, socket.socket() as prepared, capture_logs() as logs:
        assert kept.get().status == 200
        with no_descriptor_left(), RawClient(server.port, prepared) as late:
            late.send(get())
            until(lambda: any(log["event"] == "accept_paused" for log in logs))
            assert kept.get().status == 200
        with RawClient(server.port) as later:
            assert later.get().status == 200


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
    held = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        yield
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHos", 11, id="half a head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", 31, id="half a body"),
    ],
)
def test_a_request_that_does_not_end_in_time_is_given_up(sent: bytes, seconds: int) -> None:
    clock = FakeClock()
    with running(limits=SERIAL, clock=clock) as server, RawClient(server.port) as client:
        assert client.get().status == 200
        client.send(sent)
        settle(server.port)
        clock.seconds += seconds
        reply = client.reply()
        assert client.is_closed()

    assert (reply.status, reply.code) == (408, "REQUEST_TIMEOUT")


def test_a_body_that_trickles_is_given_up() -> None:
    """Something moves all the time, but at this pace it would hold the connection for days."""
    clock = FakeClock()
    with running(limits=SERIAL, clock=clock) as server, RawClient(server.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n")
        for _ in range(3):
            settle(server.port)
            clock.seconds += 12
            client.send(b"x")
        settle(server.port)
        clock.seconds += 1
        assert client.reply().status == 408


def test_an_idle_connection_is_closed_without_a_word() -> None:
    clock = FakeClock()
    with (
        running(limits=SERIAL, clock=clock) as server,
        RawClient(server.port) as client,
        RawClient(server.port) as silent,
    ):
        assert client.get().status == 200
        settle(server.port)
        clock.seconds += 76
        assert client.is_closed()
        assert silent.is_closed()


def test_time_between_requests_is_not_time_within_one() -> None:
    clock = FakeClock()
    with running(limits=SERIAL, clock=clock) as server, RawClient(server.port) as client:
        for _ in range(4):
            assert client.get().status == 200
            settle(server.port)
            clock.seconds += 60
        assert client.get().status == 200


def settle(port: int) -> None:
    """Everything sent before has been dealt with, since a later request is answered."""
    with RawClient(port) as probe:
        assert probe.get().status == 200
        assert probe.get().status == 200
