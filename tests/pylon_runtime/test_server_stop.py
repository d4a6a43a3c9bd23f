"""Stopping: what is in flight ends, nothing is left behind, and it may be asked for at any time."""

import socket
import threading
import time
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from pylon_core.clock import SystemClock
from pylon_core.turns import blocking
from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.server import PylonServer
from pylon_runtime.threads import spawn
from tests.pylon_runtime.server_rig import (
    RawClient,
    echo,
    get,
    no_upgrade,
    open_descriptors,
    post,
    running,
    threads_of,
)
from tests.support.waiting import until


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


class Gated:
    """A handler that tells when it was entered and waits to be let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def __call__(self, request: Request) -> Response:
        self.entered.set()
        with blocking():
            self.gate.wait(20)
        return Response(200, b"finished")


def test_a_request_in_flight_is_answered_and_its_connection_closed() -> None:
    handle = Gated()
    with running(handle) as server, RawClient(server.port) as client:
        client.send(get())
        assert handle.entered.wait(10)
        stopping = spawn("stopping", lambda: server.stop(soon()))
        until(lambda: refuses_connections(server.port))
        handle.gate.set()
        reply = client.reply()
        assert client.is_closed()
        stopping.join(10)
        assert not stopping.is_alive()

    assert reply.body == b"finished"
    assert reply.headers["connection"] == "close"


def test_a_request_half_sent_may_be_finished() -> None:
    with running() as server, RawClient(server.port) as client:
        request = post(b"body")
        client.send(request[:-2])
        with RawClient(server.port) as probe:
            probe.get()
        stopping = spawn("stopping", lambda: server.stop(soon()))
        until(lambda: refuses_connections(server.port))
        client.send(request[-2:])
        assert client.reply().status == 200
        stopping.join(10)


def test_an_answer_half_read_may_be_finished() -> None:
    large = b"x" * (20 << 20)
    with running(lambda request: Response(200, large)) as server, RawClient(server.port) as client:
        client.send(get())
        client.until(b"\r\n\r\n")
        stopping = spawn("stopping", lambda: server.stop(soon()))
        until(lambda: refuses_connections(server.port))
        assert client.exactly(len(large)) == large
        stopping.join(10)


def test_idle_connections_are_closed_at_once() -> None:
    with running() as server:
        clients = [RawClient(server.port) for _ in range(50)]
        for client in clients:
            client.get()
        started = time.monotonic()
        server.stop(soon(60))
        assert time.monotonic() - started < 30
        for client in clients:
            assert client.is_closed()
            client.socket.close()


def test_what_does_not_end_in_time_is_cut_and_named() -> None:
    handle = Gated()
    server = make(handle)
    server.start()
    with RawClient(server.port) as client, capture_logs() as logs:
        client.send(get())
        assert handle.entered.wait(10)
        server.stop(soon(0.1))
        assert client.is_closed()
        handle.gate.set()
        until(lambda: threads_of(server) == [])

    assert [log["event"] for log in logs] == ["connections_cut", "threads_did_not_stop"]


def make(handle: object = echo) -> PylonServer:
    assert callable(handle)
    return PylonServer(
        "127.0.0.1",
        0,
        handle,
        no_upgrade,
        ServerLimits(),
        wsgi_app=lambda environ, start_response: [],
        clock=SystemClock(),
    )


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return True
    return False


def test_stopping_twice_before_starting_or_from_many_threads_is_harmless() -> None:
    never_started = make()
    never_started.stop(soon())
    never_started.stop(soon())
    never_started.start()
    assert threads_of(never_started) == []

    server = make()
    server.start()
    server.start()
    threads = [spawn(f"stopping-{n}", lambda: server.stop(soon())) for n in range(4)]
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert refuses_connections(server.port)


@pytest.mark.parametrize("with_traffic", [False, True])
def test_starting_and_stopping_fifty_times_leaves_nothing(with_traffic: bool) -> None:
    threads = threading.active_count()
    descriptors = open_descriptors()

    for _ in range(50):
        server = make()
        server.start()
        if with_traffic:
            with RawClient(server.port) as client, RawClient(server.port):
                assert client.get().status == 200
        server.stop(soon())

    assert threading.active_count() == threads
    until(lambda: open_descriptors() <= descriptors)


def test_serve_forever_returns_after_shutdown() -> None:
    """The interface of werkzeug's servers means what it says."""
    server = make()
    serving = spawn("serving", server.serve_forever)
    with RawClient(server.port) as client:
        assert client.get().status == 200
    server.shutdown()
    server.server_close()
    serving.join(10)

    assert not serving.is_alive()


def test_no_request_is_lost_between_serving_and_stopping() -> None:
    """Whatever was handled was answered, and whatever was not may safely be sent again."""
    handled: list[str] = []
    answered: list[str] = []

    def handle(request: Request) -> Response:
        handled.append(request.target)
        return Response(200, request.target.encode())

    def ask(name: str) -> None:
        with suppress(OSError), RawClient(server.port) as client:
            answered.extend(client.get(f"/{name}/{number}").body.decode() for number in range(100_000))

    with running(handle) as server:
        threads = [spawn(f"asking-{n}", lambda n=n: ask(str(n))) for n in range(8)]  # type: ignore[misc]  # bound now
        until(lambda: len(answered) > 500)
        server.stop(soon())
        for thread in threads:
            thread.join(10)

    assert sorted(handled) == sorted(answered)
