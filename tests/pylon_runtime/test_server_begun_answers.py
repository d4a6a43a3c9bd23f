"""Answers that are begun and delivered later, by another thread: in order, whole, and holding nothing up."""

import queue
import threading
from collections.abc import Callable

import pytest

from pylon_core.errors import PylonError
from pylon_http import Request, Response
from pylon_runtime.http_handler import BegunAnswer
from pylon_runtime.http_limits import ServerLimits
from tests.pylon_runtime.server_rig import RawClient, get, running
from tests.support.waiting import until

Deliver = Callable[[Callable[[], Response]], None]
ONE_THREAD = ServerLimits(active_threads=1, threads_max=2, turn_s=10)


class Later:
    """A handler whose answers come when the test says so; ``/now`` is answered at once."""

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[tuple[str, Deliver]] = queue.SimpleQueue()

    def __call__(self, request: Request) -> Response | BegunAnswer:
        if request.target == "/now":
            return Response.json("now")
        return _Begun(self.begun, request.target)

    def next(self) -> tuple[str, Deliver]:
        return self.begun.get(timeout=10)

    def answer_next(self) -> None:
        target, deliver = self.next()
        deliver(lambda: Response.json(target))


class _Begun:
    def __init__(self, begun: "queue.SimpleQueue[tuple[str, Deliver]]", target: str) -> None:
        self._begun = begun
        self._target = target

    def start(self, deliver: Deliver) -> None:
        self._begun.put((self._target, deliver))


class AtOnce:
    """Delivers before ``start`` has returned."""

    def start(self, deliver: Deliver) -> None:
        deliver(lambda: Response.json("at once"))


class Refusing:
    def start(self, deliver: Deliver) -> None:
        raise PylonError("NOT_AVAILABLE", "The database is closed.")


def test_an_answer_that_comes_later_holds_no_thread() -> None:
    handler = Later()
    with running(handler, limits=ONE_THREAD) as server, RawClient(server.port) as quick:
        waiting = [RawClient(server.port) for _ in range(20)]
        for number, client in enumerate(waiting):
            client.send(get(f"/{number}"))
        held = [handler.next() for _ in waiting]

        assert quick.get("/now").body == b'"now"'
        for target, deliver in reversed(held):
            deliver(lambda target=target: Response.json(target))  # type: ignore[misc]
        replies = [client.reply().body.decode() for client in waiting]
        for client in waiting:
            client.socket.close()

    assert replies == [f'"/{number}"' for number in range(20)]


def test_pipelined_requests_behind_it_are_answered_after_it() -> None:
    handler = Later()
    with running(handler) as server, RawClient(server.port) as client:
        client.send(get("/first") + get("/now") + get("/second") + get("/now"))
        handler.answer_next()
        first, now = client.reply(), client.reply()
        handler.answer_next()
        second, last = client.reply(), client.reply()

    assert [reply.body for reply in (first, now, second, last)] == [b'"/first"', b'"now"', b'"/second"', b'"now"']


def test_bytes_that_arrive_meanwhile_are_not_lost() -> None:
    handler = Later()
    with running(handler) as server, RawClient(server.port) as client:
        for _ in range(50):
            client.send(get("/later"))
            _, deliver = handler.next()
            client.send(get("/now"))
            deliver(lambda: Response.json("later"))
            assert [client.reply().body, client.reply().body] == [b'"later"', b'"now"']


def test_an_answer_delivered_while_it_is_begun_is_sent_once() -> None:
    with running(lambda _request: AtOnce()) as server, RawClient(server.port) as client:
        assert [client.get().body for _ in range(100)] == [b'"at once"'] * 100


def test_answers_delivered_by_many_threads_all_arrive() -> None:
    class Thread:
        def start(self, deliver: Deliver) -> None:
            threading.Thread(target=deliver, args=(lambda: Response.json("ok"),)).start()

    def ask(port: int, replies: list[bytes]) -> None:
        with RawClient(port) as client:
            replies.extend(client.get().body for _ in range(40))

    replies: list[bytes] = []
    with running(lambda _request: Thread()) as server:
        clients = [threading.Thread(target=ask, args=(server.port, replies)) for _ in range(12)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(20)

    assert replies == [b'"ok"'] * 480


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (lambda _request: Refusing(), 503),
        (lambda _request: _Broken(), 500),
    ],
    ids=["refused", "crashed"],
)
def test_what_cannot_be_begun_or_rendered_is_an_error_and_the_connection_goes_on(
    handler: Callable[[Request], BegunAnswer], status: int
) -> None:
    with running(handler) as server, RawClient(server.port) as client:
        assert [client.get().status for _ in range(3)] == [status] * 3


class _Broken:
    def start(self, deliver: Deliver) -> None:
        def render() -> Response:
            raise RuntimeError("on purpose")

        deliver(render)


def test_a_client_that_left_meanwhile_costs_nothing() -> None:
    handler = Later()
    with running(handler) as server:
        with RawClient(server.port) as client:
            client.send(get("/gone"))
            _, deliver = handler.next()
        deliver(lambda: Response.json("nobody hears"))
        until(lambda: server.connections == 0)


def test_stopping_waits_for_answers_that_were_begun() -> None:
    handler = Later()
    with running(handler) as server, RawClient(server.port) as client:
        client.send(get("/begun"))
        _, deliver = handler.next()
        stopping = threading.Thread(target=server.shutdown)
        stopping.start()
        until(lambda: server._site.draining)
        deliver(lambda: Response.json("in time"))
        reply = client.reply()
        stopping.join(10)

    assert (reply.body, reply.headers["connection"]) == (b'"in time"', "close")
