"""Answers whose bodies come when there is something to say: at once, within bounds, until nobody listens."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_http import Outlet, PushedResponse, Request
from pylon_runtime import pushed_bodies
from pylon_runtime.http_stream import BodySource, SourcedResponse
from pylon_runtime.pushed_bodies import PIECE_BYTES_MAX, UNSENT_BYTES_MAX, PushedBodies
from pylon_runtime.server import PylonServer
from pylon_runtime.wsgi import WsgiApp
from tests.pylon_runtime.gateway_rig import GatewayRig
from tests.pylon_runtime.server_rig import RawClient, get, running
from tests.support.waiting import until

END = b"0\r\n\r\n"

Make = Callable[[Outlet], bytes]


class Made:
    """Says one thing, and goes on when told; then it is over, or as the test says."""

    def __init__(self, then: Make = lambda _outlet: b"last") -> None:
        self._then = then
        self.go_on = threading.Event()
        self.outlet: Outlet | None = None
        self.is_over = False

    def __call__(self, outlet: Outlet) -> bytes:
        self.outlet = outlet
        try:
            assert outlet.write(b"first")
            assert self.go_on.wait(20)
            return self._then(outlet)
        finally:
            self.is_over = True

    def is_gone(self) -> bool:
        return self.outlet is not None and self.outlet.is_gone()


@pytest.fixture
def bodies() -> Iterator[PushedBodies]:
    found = PushedBodies(SystemClock())
    yield found
    found.stop(SystemClock().monotonic() + 10)
    assert not any(thread.name.startswith("stream-") for thread in threading.enumerate())


@contextmanager
def sending(make: Make, bodies: PushedBodies) -> Iterator[PylonServer]:
    with running(lambda request: bodies.answer(PushedResponse("text/event-stream", make), request)) as server:
        yield server


def opened(bodies: PushedBodies, make: Make, is_gone: Callable[[], bool] | None = None) -> BodySource:
    request = Request("GET", "/", {}, b"", "10.0.0.1", is_gone)
    response = bodies.answer(PushedResponse("text/event-stream", make), request)
    assert isinstance(response, SourcedResponse)
    return response.open()


def test_each_piece_goes_out_before_the_next_is_made(bodies: PushedBodies) -> None:
    made = Made()
    with sending(made, bodies) as server, RawClient(server.port) as client:
        head = client.ask(get())
        assert (head.status, head.headers["transfer-encoding"]) == (200, "chunked")
        assert client.until(b"\r\n") + client.until(b"\r\n") == b"5first"
        made.go_on.set()
        assert client.rest() == b"4\r\nlast\r\n" + END


def test_while_nothing_comes_a_comment_keeps_the_connection_alive() -> None:
    bodies = PushedBodies(SystemClock(), heartbeat_s=0.02)
    made = Made()
    source = opened(bodies, made)

    assert source.read() == b"first"
    assert {source.read(), source.read()} == {b": keep-alive\n\n"}
    made.go_on.set()
    assert b"last" in iter(source.read, b"")
    source.close()


def test_a_body_that_fails_breaks_off_and_is_logged(bodies: PushedBodies) -> None:
    def fail(_outlet: Outlet) -> bytes:
        raise RuntimeError("a bug")

    made = Made(fail)
    with capture_logs() as logs, sending(made, bodies) as server, RawClient(server.port) as client:
        client.ask(get())
        client.until(b"first\r\n")
        made.go_on.set()
        assert not client.rest().endswith(END)

    assert [entry["event"] for entry in logs] == ["answer_broken_off"]


def test_whoever_makes_it_hears_that_the_client_is_gone(bodies: PushedBodies) -> None:
    made = Made()
    with sending(made, bodies) as server:
        with RawClient(server.port) as client:
            client.ask(get())
            client.until(b"first\r\n")
            assert not made.is_gone()
        until(made.is_gone, "the news")
        made.go_on.set()
        until(lambda: made.is_over, "its end")


def test_what_the_client_does_not_take_is_bounded_and_the_last_piece_still_comes(bodies: PushedBodies) -> None:
    taken: list[bool] = []

    def flood(outlet: Outlet) -> bytes:
        while not taken or taken[-1]:
            taken.append(outlet.write(b"x" * PIECE_BYTES_MAX))
        return b"last"

    made = Made(flood)
    source = opened(bodies, made)
    made.go_on.set()
    until(lambda: made.is_over, "its end")

    body = b"".join(iter(source.read, b""))
    source.close()

    assert len(body) <= UNSENT_BYTES_MAX + len(b"last")
    assert body.endswith(b"last")


def test_who_makes_more_than_fits_waits_for_a_client_that_reads(bodies: PushedBodies) -> None:
    burst = [bytes([letter]) * (3 << 20) for letter in b"abcde"]

    def make(outlet: Outlet) -> bytes:
        assert all(outlet.write(piece) for piece in burst)
        return b"last"

    with sending(make, bodies) as server, RawClient(server.port) as client:
        client.ask(get())
        rest = client.rest()

    sizes = [rest.count(letter) for letter in (b"a" * 1024, b"b" * 1024, b"e" * 1024)]
    assert min(sizes) > 2900  # all of it but what lies across the borders of chunks
    assert rest.endswith(b"last\r\n" + END)


def test_a_client_that_takes_nothing_is_waited_for_no_longer_than_allowed_in_all() -> None:
    bodies = PushedBodies(SystemClock(), patience_s=0.05)
    taken: list[bool] = []

    def make(outlet: Outlet) -> bytes:
        taken.extend(outlet.write(b"x" * (3 << 20)) for _ in range(4))
        return b"last"

    source = opened(bodies, make)
    until(lambda: len(taken) == 4, "its end")
    body = b"".join(iter(source.read, b""))
    source.close()

    assert taken == [True, False, False, False]
    assert body == b"x" * (3 << 20) + b"last"


def test_a_client_that_leaves_is_waited_for_no_more() -> None:
    bodies = PushedBodies(SystemClock(), patience_s=60.0)
    made = Made(lambda outlet: b"" if all(outlet.write(b"x" * (3 << 20)) for _ in range(3)) else b"dropped")
    source = opened(bodies, made)
    made.go_on.set()

    source.close()

    until(lambda: made.is_over, "its end")


def test_one_large_piece_goes_however_large_it_is(bodies: PushedBodies) -> None:
    large = b"x" * (UNSENT_BYTES_MAX + 1)

    def make(outlet: Outlet) -> bytes:
        assert outlet.write(large)
        assert outlet.write(b"more")  # once the large one has been taken
        return b""

    source = opened(bodies, make)
    pieces = list(iter(source.read, b""))
    source.close()

    assert b"".join(pieces) == large + b"more"
    assert max(map(len, pieces)) == PIECE_BYTES_MAX


def test_there_are_only_so_many_at_once(bodies: PushedBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed_bodies, "BODIES_MAX", 2)
    made = [Made(), Made()]
    sources = [opened(bodies, one) for one in made]

    with sending(Made(), bodies) as server, RawClient(server.port) as client:
        refused = client.ask(get())
        assert (refused.status, refused.code) == (503, "NOT_AVAILABLE")
        assert refused.headers["retry-after"] == "1"
    made[0].go_on.set()
    assert list(iter(sources[0].read, b""))[-1].endswith(b"last")
    with pytest.raises(PylonError):
        opened(bodies, Made())
    sources[0].close()
    after = opened(bodies, lambda _outlet: b"x")
    assert after.read() == b"x"

    for source in (*sources, after):
        source.close()
    made[1].go_on.set()


def test_stopping_lets_them_end_first() -> None:
    bodies = PushedBodies(SystemClock())
    made = Made()
    source = opened(bodies, made)
    stopping = threading.Thread(target=bodies.stop, args=(SystemClock().monotonic() + 20,))
    stopping.start()

    made.go_on.set()
    body = b"".join(iter(source.read, b""))
    source.close()
    stopping.join(20)

    assert body == b"firstlast"
    assert not stopping.is_alive()


def test_stopping_ends_those_that_do_not_end_by_themselves() -> None:
    bodies = PushedBodies(SystemClock())
    made = Made()
    source = opened(bodies, made)

    bodies.stop(SystemClock().monotonic())

    assert made.is_gone()
    assert source.read() == b""
    made.go_on.set()
    until(lambda: made.is_over, "its end")


def test_a_wsgi_host_gets_each_piece_as_it_is_made_and_ends_it_by_closing() -> None:
    rig = GatewayRig()
    made = Made()
    rig.answer = lambda: PushedResponse("text/event-stream", made)
    started: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Any:
        started.append((status, dict(headers)))

    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/fn/x", "wsgi.input": io.BytesIO()}
    content: Any = WsgiApp(rig.gateway)(environ, start)
    pieces = iter(content)

    ((status, headers),) = started
    assert status == "200 OK"
    assert headers["Content-Type"] == "text/event-stream"
    assert "Content-Length" not in headers
    assert next(pieces) == b"first"
    assert not made.is_gone()
    content.close()
    assert made.is_gone()
    made.go_on.set()
    until(lambda: made.is_over, "its end")


def test_the_answer_asks_nothing_of_a_head_request(bodies: PushedBodies) -> None:
    made = Made()
    with sending(made, bodies) as server, RawClient(server.port) as client:
        reply = client.ask(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", head=True)
        assert client.is_closed()

    assert reply.status == 200
    assert made.outlet is None
