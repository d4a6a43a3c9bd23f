"""The bad network: what gets through it, what does not, and who is told."""

import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.history.proxy import FAIR, Direction, Proxy, Weather

PATIENCE_S = 5.0
SILENCE_S = 0.2
"""Long enough on one machine to say that nothing comes; a slow machine cannot make these tests fail."""


class Echo:
    """Sends back what it gets, on a thread for each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received.release()
                    connection.sendall(data)
            except ConnectionError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.stop()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    proxy = Proxy("test", [echo.port], random.Random(1))
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection that has been used."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as connection:
        assert said(connection, b"hello") == b"hello"
        yield connection


def said(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        answer += connection.recv(65536)
    return answer


def is_reset(proxy: Proxy) -> bool:
    """Whether a new connection is, at once or when it is used."""
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as connection:
            connection.recv(1)
    except ConnectionResetError:
        return True
    return False


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(SILENCE_S)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE_S)
    return False


def test_in_fair_weather_everything_passes_whole(client: socket.socket) -> None:
    megabytes = random.Random(2).randbytes(3 << 20)
    sender = threading.Thread(target=client.sendall, args=(megabytes,))
    sender.start()
    answer = b""
    while len(answer) < len(megabytes):
        answer += client.recv(1 << 20)
    sender.join()

    assert answer == megabytes


def test_an_end_is_passed_on(proxy: Proxy, client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)

    assert client.recv(1) == b""


def test_a_cut_resets_connections_and_new_ones_are_welcome(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()

    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as again:
        assert said(again, b"again") == b"again"


def test_refusing_resets_new_connections_and_leaves_the_others(proxy: Proxy, client: socket.socket) -> None:
    proxy.set(Weather(refuses=True))

    assert is_reset(proxy)
    assert said(client, b"still") == b"still"


def test_what_is_frozen_arrives_late(proxy: Proxy, client: socket.socket) -> None:
    proxy.set(Weather(frozen=frozenset(Direction)))
    client.sendall(b"late")

    assert is_silent(client)
    proxy.set(FAIR)
    assert client.recv(4) == b"late"


def test_what_was_frozen_when_the_connection_was_cut_never_arrives(
    proxy: Proxy, client: socket.socket, echo: Echo
) -> None:
    assert echo.received.acquire(timeout=PATIENCE_S)
    proxy.set(Weather(frozen=frozenset(Direction)))
    client.sendall(b"lost")
    proxy.cut()
    proxy.set(FAIR)

    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert not echo.received.acquire(timeout=SILENCE_S)


def test_with_answers_lost_requests_arrive(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    assert echo.received.acquire(timeout=PATIENCE_S)
    proxy.set(Weather(frozen=frozenset({Direction.DOWN})))
    client.sendall(b"done")

    assert echo.received.acquire(timeout=PATIENCE_S)
    assert is_silent(client)


def test_with_requests_lost_nothing_arrives(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    assert echo.received.acquire(timeout=PATIENCE_S)
    proxy.set(Weather(frozen=frozenset({Direction.UP})))
    client.sendall(b"lost")

    assert not echo.received.acquire(timeout=SILENCE_S)


def test_a_delay_delays(proxy: Proxy, client: socket.socket) -> None:
    proxy.set(Weather(delay_s=0.2))
    begun = time.monotonic()

    assert said(client, b"slow") == b"slow"
    assert time.monotonic() - begun >= 0.4


def test_a_backend_that_does_not_listen_is_a_reset(echo: Echo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = int(nobody.getsockname()[1])
    proxy = Proxy("test", [port], random.Random(1))
    proxy.start()
    try:
        assert is_reset(proxy)
    finally:
        proxy.stop()


def test_connections_go_to_all_backends(echo: Echo) -> None:
    other = Echo()
    proxy = Proxy("test", [echo.port, other.port], random.Random(1))
    proxy.start()
    try:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as connection:
                assert said(connection, b"x") == b"x"
        assert echo.received.acquire(blocking=False)
        assert other.received.acquire(blocking=False)
    finally:
        proxy.stop()
        other.stop()
