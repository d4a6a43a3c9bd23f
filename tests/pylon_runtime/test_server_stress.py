"""Races and noise: no arrival is ever lost, no bytes stop the server, segmentation never shows."""

import random
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core.turns import blocking
from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.server import PylonServer
from pylon_runtime.threads import spawn
from tests.pylon_runtime.server_rig import RawClient, get, post, running

on_one_server = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)


@pytest.fixture(params=[1, 2, 4], ids=["1 turn", "2 turns", "4 turns"])
def turns(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def answer(request: Request) -> Response:
    if request.target.startswith("/wait"):
        with blocking():
            pass
    return Response(200, request.target.encode() + request.body)


def test_no_arrival_is_lost(turns: int) -> None:
    """Clients send the next request the moment they have the answer, so its edge falls into the very instant
    in which the connection is parked. A lost edge shows as a client that waits for ever."""
    clients, rounds = 24, 300
    done: list[int] = []

    def ask(number: int, port: int) -> None:
        chance = random.Random(number)
        with RawClient(port) as client:
            for count in range(rounds):
                wave = [
                    f"/{chance.choice(['wait', 'go'])}/{number}/{count}/{n}" for n in range(chance.randint(1, 3))
                ]
                requests = b"".join(get(target) for target in wave)
                cut = chance.randrange(len(requests))
                client.send(requests[:cut])
                client.send(requests[cut:])
                assert [client.reply().body.decode() for _ in wave] == wave
        done.append(number)

    with running(answer, limits=ServerLimits(active_threads=turns)) as server:
        threads = [spawn(f"client-{n}", lambda n=n: ask(n, server.port)) for n in range(clients)]  # type: ignore[misc]  # bound now
        for thread in threads:
            thread.join(30)

    assert sorted(done) == list(range(clients))


def test_connections_that_come_and_go_disturb_nobody(turns: int) -> None:
    done: list[int] = []

    def come_and_go(number: int, port: int) -> None:
        chance = random.Random(number)
        for _ in range(60):
            with RawClient(port) as client:
                end = chance.randrange(5)
                if end == 0:
                    client.send(get()[: chance.randrange(20)])
                elif end == 1:
                    client.send(get() * 3)
                elif end == 2:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    client.send(get())
                else:
                    assert client.get("/go").body == b"/go"
        done.append(number)

    with running(answer, limits=ServerLimits(active_threads=turns)) as server:
        threads = [spawn(f"client-{n}", lambda n=n: come_and_go(n, server.port)) for n in range(12)]  # type: ignore[misc]  # bound now
        for thread in threads:
            thread.join(30)
        with RawClient(server.port) as client:
            assert client.get("/still").body == b"/still"

    assert len(done) == 12


@pytest.fixture(scope="module")
def server() -> Iterator[PylonServer]:
    with running(answer) as server:
        yield server


@given(noise=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4))
@on_one_server
def test_noise_is_refused_or_ignored_and_the_server_lives(server: PylonServer, noise: list[bytes]) -> None:
    with RawClient(server.port) as client:
        try:
            for piece in noise:
                client.send(piece)
            client.socket.shutdown(socket.SHUT_WR)
            answer = client.rest()
        except OSError:
            answer = b""
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    with RawClient(server.port) as client:
        assert client.get("/alive").body == b"/alive"


LINES = (
    "GET / HTTP/1.1",
    "POST / HTTP/1.1",
    "Host: h",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: upgrade",
    "Upgrade: x",
    "",
    "5",
    "hello",
    "0",
)
near_http = st.lists(st.sampled_from([f"{line}\r\n".encode() for line in LINES] + [b"\0", b"\n"]), max_size=12)


@given(pieces=near_http)
@on_one_server
def test_almost_http_never_stops_the_server(server: PylonServer, pieces: list[bytes]) -> None:
    with RawClient(server.port) as client:
        try:
            client.send(b"".join(pieces) or b"\r\n")
            client.socket.shutdown(socket.SHUT_WR)
            client.rest()
        except OSError:
            pass
    with RawClient(server.port) as client:
        assert client.get("/alive").body == b"/alive"
    assert server.failure is None


@given(
    bodies=st.lists(st.binary(max_size=50), min_size=1, max_size=5),
    cuts=st.sets(st.integers(1, 500), max_size=6),
)
@on_one_server
def test_answers_do_not_depend_on_how_the_bytes_are_cut(
    server: PylonServer, bodies: list[bytes], cuts: set[int]
) -> None:
    stream = b"".join(post(body, f"/{n}") for n, body in enumerate(bodies))
    ends = [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]

    with RawClient(server.port) as client:
        start = 0
        for end in ends:
            client.send(stream[start:end])
            start = end
        answers = [client.reply().body for _ in bodies]

    assert answers == [b"/%d%b" % (n, body) for n, body in enumerate(bodies)]


def test_many_threads_may_use_one_server_at_once() -> None:
    barrier = threading.Barrier(32, timeout=20)
    bodies: list[bytes] = []

    def ask(port: int) -> None:
        barrier.wait()
        with RawClient(port) as client:
            bodies.append(client.ask(post(b"x" * 100_000)).body)

    with running(answer) as server:
        threads = [spawn(f"client-{n}", lambda: ask(server.port)) for n in range(32)]
        for thread in threads:
            thread.join(20)

    assert bodies == [b"/" + b"x" * 100_000] * 32
