"""Sockets that leave the server: WebSocket handshakes and streaming answers."""

import socket
import threading

import pytest
from structlog.testing import capture_logs

from pylon_http import Request, Response
from pylon_runtime.http_handler import Takeover
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_stream import ResponseStream, StreamResponse
from tests.pylon_runtime.server_rig import RawClient, get, running
from tests.support.waiting import until

HANDSHAKE = get("/ws", "Connection: Upgrade", "Upgrade: websocket")


class Taker:
    """Takes sockets over and keeps them."""

    def __init__(self) -> None:
        self.taken: list[tuple[Request, socket.socket, bytes]] = []

    def __call__(self, request: Request, sock: socket.socket, tail: bytes) -> None:
        self.taken.append((request, sock, tail))

    def close(self) -> None:
        for _, sock, _ in self.taken:
            sock.close()


def test_a_handshake_hands_over_the_socket_and_what_came_with_it() -> None:
    taker = Taker()
    with running(upgrade=taker) as server, RawClient(server.port) as client:
        client.send(get("/before") + HANDSHAKE + b"first frame")
        assert client.reply().status == 200
        until(lambda: len(taker.taken) == 1)
        request, sock, tail = taker.taken[0]

        assert (request.target, tail) == ("/ws", b"first frame")
        assert sock.getblocking()
        assert server.connections == 0
        assert server.sockets_handed_over == 1

        client.send(b"more")
        assert sock.recv(4) == b"more"
        sock.sendall(b"101 raw\r\n\r\n")
        assert client.until(b"\r\n\r\n") == b"101 raw"
        taker.close()
        assert server.sockets_handed_over == 0


def test_sockets_kept_for_ever_use_up_neither_threads_nor_turns() -> None:
    gate = threading.Event()
    inside: list[str] = []

    def keep(request: Request, sock: socket.socket, tail: bytes) -> None:
        inside.append(request.target)
        gate.wait(10)
        sock.close()

    with running(upgrade=keep, limits=ServerLimits(active_threads=1, threads_max=2)) as server:
        clients = [RawClient(server.port) for _ in range(20)]
        for client in clients:
            client.send(HANDSHAKE)
        until(lambda: len(inside) == 20)
        with RawClient(server.port) as quick:
            assert quick.get().status == 200
        gate.set()
        for client in clients:
            assert client.is_closed()
            client.socket.close()


def test_a_failing_upgrade_closes_the_socket() -> None:
    def fail(request: Request, sock: socket.socket, tail: bytes) -> None:
        raise LookupError("bad")

    with running(upgrade=fail) as server, RawClient(server.port) as client, capture_logs() as logs:
        client.send(HANDSHAKE)
        assert client.is_closed()
        with RawClient(server.port) as other:
            assert other.get().status == 200

    assert [log["event"] for log in logs] == ["handover_failed"]


@pytest.mark.parametrize("repeated", [False, True])
def test_an_answer_may_be_that_somebody_takes_the_socket_over(repeated: bool) -> None:
    taker = Taker()

    def handle(request: Request) -> Response | Takeover:
        return Takeover(taker) if request.target == "/stream" else Response(200, b"")

    with running(handle) as server, RawClient(server.port) as client:
        for _ in range(3 if repeated else 1):
            assert client.ask(get("/before")).status == 200
        client.send(get("/stream"))
        until(lambda: len(taker.taken) == 1)
        request, sock, tail = taker.taken[0]

        assert (request.target, tail, sock.getblocking()) == ("/stream", b"", True)
        assert (server.connections, server.sockets_handed_over) == (0, 1)
        sock.sendall(b"raw\r\n\r\n")
        assert client.until(b"\r\n\r\n") == b"raw"
        taker.close()


def test_a_request_whose_body_is_still_arriving_can_be_taken_over_too() -> None:
    taker = Taker()
    with (
        running(lambda request: Takeover(taker), streamed_paths=("/upload",)) as server,
        RawClient(server.port) as client,
    ):
        client.send(b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nsome")
        until(lambda: len(taker.taken) == 1)
        taker.close()
        assert client.is_closed()


def count_to_three(stream: ResponseStream) -> None:
    for number in range(1, 4):
        stream.write(b"data: %d\n\n" % number)
    stream.close()


def stream(request: Request) -> Response:
    return StreamResponse(200, b"", "text/event-stream", (("Cache-Control", "no-cache"),), start=count_to_three)


def test_a_streaming_answer_is_chunked() -> None:
    with running(stream, headers=(("X-Always", "yes"),)) as server, RawClient(server.port) as client:
        reply = client.ask(get())
        body = client.rest()

    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-always"] == "yes"
    assert "content-length" not in reply.headers
    assert body == b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n0\r\n\r\n"


def test_a_streaming_answer_to_an_old_client_ends_with_the_connection() -> None:
    with running(stream) as server, RawClient(server.port) as client:
        reply = client.ask(b"GET / HTTP/1.0\r\n\r\n")
        body = client.rest()

    assert "transfer-encoding" not in reply.headers
    assert body == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"


def test_head_of_a_streaming_answer_does_not_start_it() -> None:
    with running(stream) as server, RawClient(server.port) as client:
        reply = client.ask(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", head=True)
        assert client.is_closed()

    assert reply.status == 200


def test_a_stream_outlives_the_call_that_started_it() -> None:
    started: list[ResponseStream] = []

    def handle(request: Request) -> Response:
        return StreamResponse(200, b"hello", "text/event-stream", start=started.append)

    with running(handle) as server, RawClient(server.port) as client:
        client.ask(get())
        until(lambda: len(started) == 1)
        started[0].write(b"later")
        started[0].write(b"")
        started[0].close()
        assert client.rest() == b"5\r\nhello\r\n5\r\nlater\r\n0\r\n\r\n"


def test_writing_to_a_client_that_left_fails() -> None:
    failed = threading.Event()

    def write_for_ever(stream: ResponseStream) -> None:
        try:
            while True:
                stream.write(b"x" * 65536)
        except OSError:
            failed.set()
            stream.close()

    def handle(request: Request) -> Response:
        return StreamResponse(200, b"", start=write_for_ever)

    with running(handle) as server:
        with RawClient(server.port) as client:
            client.ask(get())
        assert failed.wait(10)


@pytest.mark.parametrize("target", ["/one", "/two"])
def test_each_port_may_upgrade_its_own_way(target: str) -> None:
    one, two = Taker(), Taker()
    with running(upgrade=one) as server:
        port = server.add_listener("127.0.0.1", 0, stream, two)
        expected, other = (one, two) if target == "/one" else (two, one)
        with RawClient(server.port if target == "/one" else port) as client:
            client.send(HANDSHAKE)
            until(lambda: len(expected.taken) == 1)
            assert not other.taken
            expected.close()
