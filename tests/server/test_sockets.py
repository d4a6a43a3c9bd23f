"""Who may open a sync socket on a real server, by which credential, from which page, on which port."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import ADMIN_TOKEN, LiveSocket, Server, serving, write_app
from tests.support.servers import free_ports_in_a_row

REFUSED = 1008


def headers(**lines: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in lines.items()]


@pytest.fixture
def token(shared: Server) -> str:
    return shared.guest()[0]


@pytest.mark.parametrize("by", ["subprotocol", "header", "cookie", "admin"])
def test_each_credential_opens_a_socket_of_its_own_identity(shared: Server, by: str) -> None:
    token, user_id = shared.guest()
    _, note = shared.request("POST", "/api/entities/Note", {"title": "mine", "ownerId": user_id}, token=token)
    match by:
        case "subprotocol":
            client = shared.socket(token)
        case "header":
            client = shared.socket(None, headers=headers(Authorization=f"Bearer {token}"))
        case "cookie":
            client = shared.socket(None, headers=headers(Cookie=f"a=b; notes_session={token}"))
        case _:
            client = shared.socket(None, headers=headers(Authorization=f"Bearer {ADMIN_TOKEN}"))

    assert note["id"] in (message.get("row_id") for message in client.messages())
    assert client.subprotocol == (f"bearer.{token}" if by == "subprotocol" else None)


@pytest.mark.parametrize(
    ("token", "lines"),
    [
        (None, {}),
        ("bad", {}),
        (None, {"Authorization": "Bearer bad"}),
        (None, {"Cookie": "notes_session=bad"}),
        (None, {"Cookie": "other_session=bad"}),
    ],
)
def test_a_missing_or_bad_credential_is_closed_with_1008(
    shared: Server, token: str | None, lines: dict[str, str]
) -> None:
    client = shared.socket(token, headers=headers(**lines))

    assert client.close_code() == REFUSED


def test_a_bad_credential_never_falls_through_to_a_good_one(shared: Server, token: str) -> None:
    client = shared.socket("bad", headers=headers(Cookie=f"notes_session={token}"))

    assert client.close_code() == REFUSED


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[::1"]
)
def test_a_page_from_elsewhere_is_refused_before_the_upgrade(shared: Server, token: str, origin: str) -> None:
    client = shared.socket(token, headers=headers(Origin=origin))

    assert client.is_refused
    assert client.refused_with == 403


@pytest.mark.parametrize("origin", [None, "http://localhost", "http://localhost:5173", "http://127.0.0.1:3000"])
def test_no_origin_and_pages_of_this_machine_may(shared: Server, token: str, origin: str | None) -> None:
    lines = {} if origin is None else {"Origin": origin}

    assert shared.socket(token, headers=headers(**lines)).is_open()


def test_in_production_only_the_apps_own_pages_may(tmp_path: Path) -> None:
    env = {"PYLON_CORS_ORIGIN": "https://notes.example", "PYLON_HOST": "127.0.0.1"}
    with serving(write_app(tmp_path), env=env, command="start") as server:
        token, _ = server.guest()

        assert server.socket(token, headers=headers(Origin="https://notes.example")).is_open()
        assert server.socket(token).is_open()
        for origin in ("http://localhost:5173", "https://notes.example.evil.example", "http://notes.example"):
            assert server.socket(token, headers=headers(Origin=origin)).refused_with == 403


@pytest.mark.parametrize("path", ["/", "/ws", "/api/sync/ws", "/ws?x=1"])
def test_the_main_port_takes_sockets_at_its_paths(shared: Server, token: str, path: str) -> None:
    assert shared.socket(token, target=path).is_open()


@pytest.mark.parametrize("path", ["/other", "/api/entities/Post", "/ws/", "/%2e"])
def test_the_main_port_takes_them_nowhere_else(shared: Server, token: str, path: str) -> None:
    assert shared.socket(token, target=path).refused_with == 404


@pytest.fixture
def with_extra_port(tmp_path: Path) -> Iterator[Server]:
    app = write_app(tmp_path)
    server = Server(app, env={"PYLON_EXTRA_PORTS": "1"}, port=free_ports_in_a_row())
    server.start()
    yield server
    server.drop_sockets()
    assert server.stop() == 0


@pytest.mark.parametrize("path", ["/", "/anything/at/all", "/api/sync/ws"])
def test_the_extra_port_takes_sockets_at_any_path(with_extra_port: Server, path: str) -> None:
    server = with_extra_port
    token, _ = server.guest()
    client = LiveSocket(server.port + 1, token, target=path)

    _, row = server.request("POST", "/api/entities/Post", {"title": "hello"}, token=token)

    assert client.next()["row_id"] == row["id"]
    client.drop()
    evil = LiveSocket(server.port + 1, token, target=path, headers=headers(Origin="https://evil.example"))
    assert evil.refused_with == 403
    evil.drop()


def test_without_extra_ports_nobody_listens_there(shared: Server) -> None:
    """The servers of these tests all run with ``PYLON_EXTRA_PORTS=0``."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", shared.port + 1), timeout=2)


def test_signing_out_closes_the_sockets_of_that_session_and_no_other(shared: Server) -> None:
    token, _ = shared.guest()
    other, _ = shared.guest()
    ended, going_on = [shared.socket(token) for _ in range(3)], shared.socket(other)

    assert shared.request("DELETE", "/api/auth/session", token=token)[0] == 200

    for client in ended:
        assert client.close_code() == REFUSED
    assert going_on.is_open()
    assert shared.socket(token).close_code() == REFUSED
