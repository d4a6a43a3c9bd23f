"""Bodies that are read while they are handled: whole or refused, never held in memory, never waited for long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_http import Request, Response, StreamedRequest
from pylon_runtime.http_handler import Handler
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.server import PylonServer
from tests.pylon_runtime.server_rig import RawClient, get, post, running

PATH = "/in"
LIMITS = ServerLimits(body_bytes_max=1000, streamed_bytes_max=1 << 30)
IMPATIENT = ServerLimits(progress_timeout_s=0.2, streamed_bytes_max=1 << 30, linger_timeout_s=0.2)


def count(request: Request) -> Response:
    """Reads what is streamed; says how much it was, and the first and last bytes."""
    if not isinstance(request, StreamedRequest):
        return Response.json({"kept": len(request.body), "target": request.target})
    size, first, last = 0, b"", b""
    while piece := request.stream.read():
        size += len(piece)
        first = first or piece[:1]
        last = piece[-1:]
    return Response.json({"size": size, "ends": (first + last).decode("latin-1"), "target": request.target})


def refuse(request: Request) -> Response:
    raise PylonError("AUTH_REQUIRED", "No.")


@contextmanager
def reading(handle: Handler = count, limits: ServerLimits = LIMITS) -> Iterator[PylonServer]:
    with running(handle, limits=limits, streamed_paths=(PATH,)) as server:
        yield server


def chunked(*chunks: bytes) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def test_a_body_far_beyond_the_bound_of_others_is_read_and_the_connection_goes_on() -> None:
    with reading() as server, RawClient(server.port) as client:
        replies = [client.ask(post(b"a" + b"x" * size + b"z", PATH)) for size in (5_000_000, 5)]
        after = client.get("/other")

    assert [reply.body for reply in replies] == [
        b'{"size":5000002,"ends":"az","target":"/in"}',
        b'{"size":7,"ends":"az","target":"/in"}',
    ]
    assert after.status == 200


@pytest.fixture(scope="module")
def shared() -> Iterator[PylonServer]:
    with reading() as server:
        yield server


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_segmentation_and_chunks_never_matter(shared: PylonServer, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 300), min_size=1, max_size=5))
    stream = b"".join(
        chunked(*[b"x" * size for size in sizes]) if data.draw(st.booleans()) else post(b"x" * sum(sizes), PATH)
        for _ in range(3)
    )
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))

    with RawClient(shared.port) as client:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            client.send(stream[start:end])
        replies = [client.reply() for _ in range(3)]

    expected = f'"size":{sum(sizes)},'
    assert all(expected in reply.body.decode() for reply in replies)


def test_only_posts_to_the_path_itself_are_streamed() -> None:
    with reading() as server, RawClient(server.port) as client:
        replies = [
            client.ask(post(b"abc", target)).body for target in ("/in?private=1", "/in/", "/inside", "/%69n", "/x")
        ]
        put = client.ask(post(b"abc", PATH).replace(b"POST", b"PUT")).body

    assert [b"kept" in body for body in replies] == [False, True, True, True, True]
    assert b"kept" in put


def test_what_is_declared_too_large_is_refused_before_it_is_handled() -> None:
    with reading(limits=ServerLimits(streamed_bytes_max=10)) as server, RawClient(server.port) as client:
        reply = client.ask(f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n".encode())

        assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")
        assert client.is_closed()


def test_a_client_that_asks_first_is_told_to_go_on_only_if_the_body_is_wanted() -> None:
    ask = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()

    with reading() as server, RawClient(server.port) as client:
        client.send(ask)
        told = client.until(b"\r\n\r\n")
        wanted = client.ask(b"abc")
    with reading(refuse) as server, RawClient(server.port) as client:
        unwanted = client.ask(ask)

    assert (told, wanted.status) == (b"HTTP/1.1 100 Continue", 200)
    assert (unwanted.status, unwanted.code) == (401, "AUTH_REQUIRED")


def test_a_refusal_reaches_a_client_that_goes_on_sending_and_ends_the_connection() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n\r\n".encode()

    with reading(refuse) as server, RawClient(server.port) as client:
        client.send(head)
        reply = client.reply()
        for _ in range(3):
            client.send(b"x" * 1_000_000)

        assert (reply.status, reply.headers["connection"]) == (401, "close")
        assert client.is_closed()


def test_a_refusal_after_a_whole_body_leaves_the_connection_alone() -> None:
    with reading(refuse) as server, RawClient(server.port) as client:
        replies = [client.ask(post(b"abc", PATH)) for _ in range(2)]

    assert [reply.status for reply in replies] == [401, 401]


def test_bytes_behind_a_refused_body_are_not_taken_for_a_request() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 3000\r\n\r\n".encode()

    with reading(refuse) as server, RawClient(server.port) as client:
        client.send(head + get("/smuggled"))
        client.reply()

        assert client.is_closed()


@pytest.mark.parametrize(
    ("body", "status"),
    [pytest.param(b"", 408, id="nothing"), pytest.param(b"abc", 408, id="something")],
)
def test_a_body_that_stalls_is_given_up(body: bytes, status: int) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n".encode()

    with reading(limits=IMPATIENT) as server, RawClient(server.port) as client:
        reply = client.ask(head + body)

        assert (reply.status, reply.code) == (status, "REQUEST_TIMEOUT")
        assert client.is_closed()


def test_a_body_that_trickles_is_given_up() -> None:
    limits = ServerLimits(progress_timeout_s=0.2, bytes_per_s_min=1e6, streamed_bytes_max=1 << 30)
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n".encode()
    over = threading.Event()

    with reading(limits=limits) as server, RawClient(server.port) as client:
        client.send(head)

        def trickle() -> None:
            while not over.wait(0.02):
                try:
                    client.send(b"x")
                except OSError:
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        reply = client.reply()
        over.set()
        sender.join()

    assert (reply.status, reply.code) == (408, "REQUEST_TIMEOUT")


def test_half_a_body_is_an_error_for_its_handler() -> None:
    seen: list[PylonError] = []

    def handle(request: Request) -> Response:
        try:
            return count(request)
        except PylonError as error:
            seen.append(error)
            raise

    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n".encode()
    with reading(handle) as server, RawClient(server.port) as client:
        client.send(head + b"half")
        client.socket.shutdown(1)
        reply = client.reply()

    assert [error.code for error in seen] == ["PROTOCOL_ERROR"]
    assert (reply.status, reply.code) == (400, "PROTOCOL_ERROR")


def test_a_body_with_broken_chunks_is_an_error_for_its_handler() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    with reading() as server, RawClient(server.port) as client:
        reply = client.ask(head + b"3\r\nabc\r\nnonsense\r\n")

        assert (reply.status, reply.code) == (400, "BAD_REQUEST")
        assert client.is_closed()


def test_whoever_waits_for_a_body_keeps_nobody_from_computing() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n".encode()

    with reading(limits=ServerLimits(active_threads=1, turn_s=10.0)) as server:
        waiting = [RawClient(server.port) for _ in range(5)]
        for client in waiting:
            client.send(head)
        with RawClient(server.port) as other:
            meanwhile = other.get("/other")
        replies = [client.ask(b"abc") for client in waiting]
        for client in waiting:
            client.socket.close()

    assert meanwhile.status == 200
    assert [reply.status for reply in replies] == [200] * 5


def test_stopping_waits_for_a_body_that_goes_on_and_cuts_one_that_does_not() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n".encode()
    entered = threading.Semaphore(0)

    def handle(request: Request) -> Response:
        entered.release()
        return count(request)

    with reading(handle) as server, RawClient(server.port) as moving, RawClient(server.port) as stuck:
        moving.send(head + b"a")
        stuck.send(head + b"a")
        for _ in range(2):
            entered.acquire()
        stopping = threading.Thread(target=server.stop, args=(SystemClock().monotonic() + 1.0,))
        stopping.start()
        reply = moving.ask(b"bc")
        stopping.join()

        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert stuck.is_closed()
