"""A page whose name was made to lead to a developer's machine gets nothing there: on no port, by no protocol."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import Server, serving, write_app
from tests.support.servers import free_ports_in_a_row

UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
ASKED = {
    "page": (0, "GET /", ()),
    "health": (0, "GET /health", ()),
    "read": (0, "GET /api/entities/Post", ()),
    "write": (0, "POST /api/auth/guest", ("Content-Length: 0",)),
    "upload": (0, "POST /api/files/upload", ("Content-Length: 5",)),
    "stream": (0, "GET /api/sync/events", ()),
    "socket": (0, "GET /api/sync/ws", UPGRADE),
    "port above": (1, "GET /", ()),
    "socket on the port above": (1, "GET /", UPGRADE),
    "stream two ports up": (2, "GET /events", ()),
    "preflight two ports up": (2, "OPTIONS /events", ("Access-Control-Request-Method: GET",)),
}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    app = write_app(tmp_path_factory.mktemp("app"))
    server = Server(
        app, env={"PYLON_EXTRA_PORTS": "1", "PYLON_ALLOWED_HOSTS": "pylon.example"}, port=free_ports_in_a_row()
    )
    server.start()
    yield server
    assert server.stop() == 0


def is_refused(server: Server, asked: str, host: str) -> bool:
    """For its host, and not for anything else that may be wrong with it."""
    offset, line, more = ASKED[asked]
    lines = [f"{line} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}", *more, "", ""]
    with (
        socket.create_connection(("127.0.0.1", server.port + offset), timeout=10) as client,
        client.makefile("rb") as answer,
    ):
        client.sendall("\r\n".join(lines).encode())
        status = int(answer.readline().split()[1])
        headers = http.client.parse_headers(answer)
        return status == 403 and b"PYLON_ALLOWED_HOSTS" in answer.read(int(headers["Content-Length"]))


@pytest.mark.parametrize("asked", ASKED)
def test_in_dev_mode_a_request_for_another_host_is_refused(dev: Server, asked: str) -> None:
    assert is_refused(dev, asked, "evil.example:4321")


@pytest.mark.parametrize("host", ["localhost:4321", "127.0.0.1", "[::1]:9", "pylon.example"])
@pytest.mark.parametrize("asked", [name for name in ASKED if name != "upload"])
def test_by_its_own_names_it_is_reached(dev: Server, asked: str, host: str) -> None:
    assert not is_refused(dev, asked, host)


def test_outside_dev_mode_any_name_will_do_until_some_are_listed(tmp_path: Path) -> None:
    env = {"PYLON_CORS_ORIGIN": "https://notes.example", "PYLON_HOST": "127.0.0.1"}
    with serving(write_app(tmp_path), env=env, command="start") as server:
        assert not is_refused(server, "read", "anything.example")
    with serving(tmp_path, env={**env, "PYLON_ALLOWED_HOSTS": "api.example"}, command="start") as server:
        refused = [
            is_refused(server, "read", host) for host in ("anything.example", "api.example", "notes.example")
        ]

    assert refused == [True, False, False]
