"""What a well-behaved client sees of the HTTP server: framing, persistence, headers, failures of the handler."""

import socket
import threading

import msgspec
import pytest
from structlog.testing import capture_logs

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.server import PylonServer
from tests.pylon_runtime.server_rig import RawClient, Reply, echo, get, no_upgrade, post, running


def seen(reply: Reply) -> dict[str, object]:
    decoded: dict[str, object] = msgspec.json.decode(reply.body)
    return decoded


def test_a_request_reaches_the_handler_whole() -> None:
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(post(b"{}", "/api/x%2Fy?a=1", "X-One: a", "x-one: b", "Cookie: c=1", "Cookie: d=2"))

    assert reply.status == 200
    assert seen(reply) == {
        "method": "POST",
        "target": "/api/x%2Fy?a=1",
        "headers": {"host": "localhost", "content-length": "2", "x-one": "a, b", "cookie": "c=1; d=2"},
        "body": "{}",
        "peer": "127.0.0.1",
    }


def test_every_answer_says_who_when_what_and_how_long() -> None:
    with running(headers=(("X-Always", "yes"),)) as server, RawClient(server.port) as client:
        reply = client.get()

    assert reply.headers["server"] == "pylon"
    assert reply.headers["date"].endswith(" GMT")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers["x-always"] == "yes"
    assert "connection" not in reply.headers


def test_a_connection_serves_request_after_request() -> None:
    with running() as server, RawClient(server.port) as client:
        targets = [seen(client.get(f"/{n}"))["target"] for n in range(50)]
        assert server.connections == 1

    assert targets == [f"/{n}" for n in range(50)]


def test_pipelined_requests_are_answered_in_order() -> None:
    with running() as server, RawClient(server.port) as client:
        client.send(b"".join(get(f"/{n}") for n in range(500)))
        targets = [seen(client.reply())["target"] for _ in range(500)]

    assert targets == [f"/{n}" for n in range(500)]


def test_a_pipelining_client_does_not_keep_others_out() -> None:
    handled = []
    everything_sent = threading.Event()

    def count(request: Request) -> Response:
        handled.append(request.target)
        everything_sent.wait(10)
        return Response(200, b"")

    limits = ServerLimits(active_threads=1, turn_s=10)
    with (
        running(count, limits=limits) as server,
        RawClient(server.port) as greedy,
        RawClient(server.port) as modest,
    ):
        greedy.send(get("/g") * 2000)  # what one read takes
        modest.send(get("/modest"))
        everything_sent.set()
        modest.reply()
        for _ in range(2000):
            greedy.reply()

    assert handled.index("/modest") < 1500


def test_chunked_bodies_are_joined() -> None:
    request = (
        b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n"
    )
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(request)
        assert seen(client.get("/next"))["target"] == "/next"

    assert seen(reply)["body"] == "abcdefg"
    assert "trailer" not in msgspec.json.decode(reply.body)["headers"]


def test_head_tells_the_length_and_sends_no_body() -> None:
    with running(lambda request: Response(200, b"12345")) as server, RawClient(server.port) as client:
        reply = client.ask(b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n", head=True)
        assert client.get().body == b"12345"

    assert reply.headers["content-length"] == "5"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_content_have_no_length(status: int) -> None:
    with running(lambda request: Response(status, b"")) as server, RawClient(server.port) as client:
        reply = client.get()
        assert client.get().status == status

    assert "content-length" not in reply.headers
    assert "content-type" not in reply.headers


def test_a_client_that_asks_first_is_told_to_continue() -> None:
    head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with running() as server, RawClient(server.port) as client:
        client.send(get("/first") + head)
        first = client.reply()
        leave = client.until(b"\r\n\r\n")
        reply = client.ask(b"body")

    assert seen(first)["target"] == "/first"
    assert leave == b"HTTP/1.1 100 Continue"
    assert seen(reply)["body"] == "body"


def test_a_body_that_came_along_needs_no_leave() -> None:
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(post(b"body", "/", "Expect: 100-continue"))

    assert reply.status == 200


@pytest.mark.parametrize(
    ("request_bytes", "connection", "closed"),
    [
        pytest.param(get("/"), None, False, id="1.1"),
        pytest.param(get("/", "Connection: close"), "close", True, id="1.1 close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", "close", True, id="1.0"),
        pytest.param(
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", False, id="1.0 keep-alive"
        ),
    ],
)
def test_the_connection_lives_as_long_as_both_want(
    request_bytes: bytes, connection: str | None, closed: bool
) -> None:
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(request_bytes)
        assert reply.headers.get("connection") == connection
        if closed:
            assert client.is_closed()
        else:
            assert client.get().status == 200


def test_a_client_that_stops_sending_is_still_answered() -> None:
    with running() as server, RawClient(server.port) as client:
        client.send(get("/last"))
        client.socket.shutdown(socket.SHUT_WR)
        assert seen(client.reply())["target"] == "/last"
        assert client.is_closed()


def test_an_offer_of_another_protocol_is_ignored_and_the_body_read() -> None:
    offer = post(b"body", "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with running() as server, RawClient(server.port) as client:
        reply = client.ask(offer)
        assert client.get("/next").status == 200

    assert seen(reply)["body"] == "body"


def crash(request: Request) -> Response:
    raise ZeroDivisionError("secret detail")


def test_a_failing_handler_costs_one_answer() -> None:
    with running(crash) as server, RawClient(server.port) as client, capture_logs() as logs:
        reply = client.get("/x?token=secret")
        assert client.get().status == 500

    assert (reply.status, reply.code) == (500, "INTERNAL")
    assert b"secret" not in reply.body
    assert [(log["event"], log["path"]) for log in logs] == [("request_failed", "/x"), ("request_failed", "/")]


def test_a_refusal_by_the_handler_is_its_error() -> None:
    def refuse(request: Request) -> Response:
        raise PylonError("FORBIDDEN", "no")

    with running(refuse) as server, RawClient(server.port) as client:
        reply = client.get()

    assert (reply.status, reply.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(200, b"", headers=(("X-A", "b\r\nSet-Cookie: evil=1"),)), id="line break"),
        pytest.param(Response(200, b"", headers=(("X-A", "snow \u2603"),)), id="not latin-1"),
        pytest.param(Response(200, b"", "text/html\r\nX-A: b"), id="content type"),
        pytest.param(Response(99, b""), id="status"),
    ],
)
def test_an_answer_that_is_not_http_is_not_sent(response: Response) -> None:
    with running(lambda request: response) as server, RawClient(server.port) as client, capture_logs():
        reply = client.get()

    assert reply.status == 500
    assert "x-a" not in reply.headers
    assert "set-cookie" not in reply.headers


def test_threads_that_wait_make_room_for_others() -> None:
    """One turn, a hundred requests that all wait for the last one: they must all be inside at once."""
    count = 100
    everybody = threading.Barrier(count, timeout=10)

    def meet(request: Request) -> Response:
        with blocking():
            everybody.wait()
        return Response(200, b"")

    with running(meet, limits=ServerLimits(active_threads=1)) as server:
        clients = [RawClient(server.port) for _ in range(count)]
        for client in clients:
            client.send(get())
        statuses = [client.reply().status for client in clients]
        for client in clients:
            client.socket.close()

    assert statuses == [200] * count


def test_a_handler_that_takes_long_does_not_hold_up_the_others() -> None:
    """Even with one turn, and though it does not say that it waits."""
    gate = threading.Event()

    def handle(request: Request) -> Response:
        if request.target == "/long":
            gate.wait(10)
        return Response(200, b"")

    with (
        running(handle, limits=ServerLimits(active_threads=1)) as server,
        RawClient(server.port) as one,
        RawClient(server.port) as two,
        RawClient(server.port) as quick,
    ):
        one.send(get("/long"))
        two.send(get("/long"))
        assert [quick.get().status for _ in range(100)] == [200] * 100
        gate.set()
        assert one.reply().status == two.reply().status == 200


def test_two_servers_live_in_one_process() -> None:
    with (
        running(lambda request: Response(200, b"one")) as one,
        running(lambda request: Response(200, b"two")) as two,
        RawClient(one.port) as first,
        RawClient(two.port) as second,
    ):
        assert (first.get().body, second.get().body) == (b"one", b"two")


def test_a_server_may_listen_on_more_ports() -> None:
    with running() as server:
        port = server.add_listener("127.0.0.1", 0, lambda request: Response(200, b"other"), no_upgrade)
        with RawClient(server.port) as main, RawClient(port) as other:
            assert seen(main.get())["target"] == "/"
            assert other.get().body == b"other"


def test_a_taken_port_is_our_own_error() -> None:
    with running() as server, pytest.raises(PylonError) as error:
        PylonServer(
            "127.0.0.1",
            server.port,
            echo,
            no_upgrade,
            ServerLimits(),
            wsgi_app=lambda environ, start_response: [],
            clock=SystemClock(),
        )

    assert error.value.code == "PORT_IN_USE"
    assert error.value.hint


def test_a_socket_accepted_elsewhere_can_be_served() -> None:
    ours, theirs = socket.socketpair()
    with running() as server, theirs:
        server.process_request(ours, ("192.0.2.1", 1))
        theirs.sendall(get())
        assert b"192.0.2.1" in theirs.recv(4096)
