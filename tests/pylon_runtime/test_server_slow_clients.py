"""Slow clients cost a parked connection: no thread, no turn, nobody else's time."""

import gc
import threading

import pytest

from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from tests.pylon_runtime.server_rig import SERIAL, FakeClock, RawClient, get, post, running, threads_of
from tests.support.waiting import until

ONE_TURN = ServerLimits(active_threads=1, threads_max=2)
LARGE = b"0123456789abcdef" * (20 << 16)


@pytest.mark.parametrize(
    "half",
    [
        pytest.param(b"GET / HT", id="request line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\nX:", id="head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nxyz", id="body"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nxyz", id="chunk"),
    ],
)
def test_half_requests_hold_no_thread(half: bytes) -> None:
    with running(limits=ONE_TURN) as server:
        slow = [RawClient(server.port) for _ in range(50)]
        for client in slow:
            client.send(half)
        with RawClient(server.port) as quick:
            assert [quick.get().status for _ in range(100)] == [200] * 100
        assert server.connections >= 50
        assert len(threads_of(server)) <= 3
        for client in slow:
            client.socket.close()
        until(lambda: server.connections == 0)


def large_or_small(request: Request) -> Response:
    return Response(200, LARGE if request.target == "/large" else b"small")


def test_slow_readers_hold_no_thread_and_get_every_byte() -> None:
    with running(large_or_small, limits=ONE_TURN) as server:
        slow = [RawClient(server.port) for _ in range(10)]
        for client in slow:
            client.send(get("/large") + get("/next"))
        with RawClient(server.port) as quick:
            assert [quick.get().body for _ in range(100)] == [b"small"] * 100
        assert len(threads_of(server)) <= 3

        for client in slow:
            assert client.reply().body == LARGE
            assert client.reply().body == b"small"
            client.socket.close()


def test_a_client_that_never_reads_is_cut_off() -> None:
    clock = FakeClock()
    with running(large_or_small, limits=SERIAL, clock=clock) as server, RawClient(server.port) as stalled:
        stalled.send(get("/large"))
        with RawClient(server.port) as probe:
            assert [probe.get().status for _ in range(2)] == [200, 200]
        clock.seconds += 31
        until(lambda: server.connections == 0)
        with pytest.raises(ConnectionResetError):
            stalled.reply()


def test_a_request_byte_by_byte_is_one_request() -> None:
    request = post(b"hello", "/slow")
    with running() as server, RawClient(server.port) as client:
        for byte in request:
            client.send(bytes([byte]))
        assert b"hello" in client.reply().body


def test_connections_that_end_leave_nothing_for_the_garbage_collector() -> None:
    with running(limits=ONE_TURN) as server:
        gc.collect()
        gc.disable()
        try:
            before = parsers()
            for _ in range(20):
                with RawClient(server.port) as client:
                    client.get()
            until(lambda: server.connections == 0)
            until(lambda: parsers() <= before + 1)
        finally:
            gc.enable()


def parsers() -> int:
    return sum(type(thing).__name__ == "RequestParser" for thing in gc.get_objects())


def test_a_thread_per_request_at_work_and_none_for_idle_connections() -> None:
    entered = threading.Barrier(2, timeout=10)

    def handle(request: Request) -> Response:
        if request.target == "/meet":
            entered.wait()
        return Response(200, b"")

    with running(handle, limits=ServerLimits(active_threads=2)) as server:
        idle = [RawClient(server.port) for _ in range(100)]
        for client in idle:
            assert client.get().status == 200
        with RawClient(server.port) as one, RawClient(server.port) as two:
            one.send(get("/meet"))
            two.send(get("/meet"))
            assert one.reply().status == two.reply().status == 200
        assert len(threads_of(server)) <= 5
        for client in idle:
            client.socket.close()
