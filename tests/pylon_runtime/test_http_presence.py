"""Whether a client is still there: asked while its request is handled, told by the kernel."""

import socket
import struct
from collections.abc import Callable

import pytest

from pylon_http import Request, Response
from pylon_runtime.http_presence import Presence
from tests.pylon_runtime.server_rig import RawClient, get, running
from tests.support.waiting import until

RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


@pytest.mark.parametrize("unread", [b"", b"the next request"], ids=["quiet", "with bytes unread"])
@pytest.mark.parametrize(
    "leave",
    [socket.socket.close, lambda client: client.shutdown(socket.SHUT_WR), reset],
    ids=["closed", "half closed", "reset"],
)
def test_a_client_is_there_until_it_leaves(
    pair: tuple[socket.socket, socket.socket], leave: Callable[[socket.socket], None], unread: bytes
) -> None:
    client, server = pair
    with client, server:
        presence = Presence(server)
        client.sendall(unread)
        assert not presence.is_gone()

        leave(client)

        until(presence.is_gone, "the news")
        assert server.recv(1, socket.MSG_PEEK) == unread[:1] if leave is not reset else True


def test_behind_a_closed_socket_is_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    with client:
        server.close()

        assert Presence(server).is_gone()


def test_a_handler_can_ask_and_the_next_request_is_no_farewell() -> None:
    seen: list[bool] = []

    def handle(request: Request) -> Response:
        assert request.is_gone is not None
        if request.target == "/wait":
            seen.append(request.is_gone())
            until(request.is_gone, "the client to leave")
            seen.append(True)
        return Response(204, b"")

    with running(handle) as server:
        with RawClient(server.port) as client:
            assert client.get("/one").status == 204
            client.send(get("/wait") + get("/next"))
            until(lambda: seen == [False], "the request")
        until(lambda: seen == [False, True], "the handler to notice")
