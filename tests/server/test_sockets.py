"""Who may open a sync socket on a real server, by which credential, from which page, on which port."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import ADMIN_TOKEN, LiveSocket, Server, notes_app, serving, write_app
from tests.support.servers import free_ports_in_a_row
from tests.support.waiting import until

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


def test_a_subprotocol_that_cannot_be_read_never_falls_through_either(shared: Server, token: str) -> None:
    client = shared.socket("%zz", headers=headers(Cookie=f"notes_session={token}"))

    assert client.subprotocol is None
    assert client.close_code() == REFUSED


def test_the_header_decides_over_the_subprotocol(shared: Server) -> None:
    (ann, ann_id), (bob, _) = shared.guest(), shared.guest()
    _, note = shared.request("POST", "/api/entities/Note", {"title": "mine", "ownerId": ann_id}, token=ann)

    client = shared.socket(bob, headers=headers(Authorization=f"Bearer {ann}"))

    assert client.subprotocol == f"bearer.{bob}"
    assert note["id"] in (message.get("row_id") for message in client.messages())


def test_a_socket_says_what_the_pull_says(shared: Server, token: str) -> None:
    client = shared.socket(token)
    _, post = shared.request("POST", "/api/entities/Post", {"title": "both ways"}, token=token)

    message = next(message for message in client.messages() if message.get("row_id") == post["id"])
    _, page = shared.request("GET", f"/api/sync/pull?since={message['seq'] - 1}", token=token)

    assert message.keys() == {"seq", "entity", "row_id", "kind", "data", "timestamp"}
    assert page["changes"][0] == message


def test_presence_is_signed_and_its_end_told_whatever_else_is_said(shared: Server) -> None:
    (ann, ann_id), (bob, _) = shared.guest(), shared.guest()
    speaker, listener = shared.socket(ann), shared.socket(bob)

    for nonsense in ("not json", "[]", '{"type": "presence"', '{"type":"crdt-subscribe","entity":1}'):
        speaker.say(nonsense)
    speaker.say('{ "data" : {"x": 1}, "from": "someone-else",\n "type": "presence", "event": "update"}')

    expected = {"type": "presence", "event": "update", "data": {"x": 1}, "from": ann_id}
    for client in (speaker, listener):
        assert expected in (message for message in client.messages() if message.get("event") == "update")
    speaker.leave()
    ends = (message for message in listener.messages() if message.get("event") == "disconnect")
    assert next(ends)["type"] == "presence"


def test_an_address_has_64_sockets(tmp_path: Path) -> None:
    with serving(write_app(tmp_path), env={"PYLON_TRUST_PROXY_HOPS": "1"}) as server:
        token, other = server.guest()[0], server.guest()[0]
        here, elsewhere = headers(X_Forwarded_For="203.0.113.7"), headers(X_Forwarded_For="203.0.113.8")
        held = [server.socket(token, headers=here) for _ in range(64)]
        assert all(client.is_open() for client in held)

        refused = server.socket(other, headers=here)

        assert (refused.refused_with, refused.retry_after) == (429, "5")
        assert server.socket(other, headers=elsewhere).is_open()
        held[0].leave()
        until(lambda: not server.socket(other, headers=here).is_refused, "the free slot")


def test_a_user_has_100_sockets(tmp_path: Path) -> None:
    with serving(write_app(tmp_path), env={"PYLON_TRUST_PROXY_HOPS": "1"}) as server:
        token, _ = server.guest()
        addresses = [headers(X_Forwarded_For=f"203.0.113.{number // 50}") for number in range(101)]
        held = [server.socket(token, headers=address) for address in addresses[:100]]
        assert all(client.is_open() for client in held)

        assert server.socket(token, headers=addresses[100]).refused_with == 429


def test_a_socket_ends_with_its_session(tmp_path: Path) -> None:
    """Within seconds, and without anything being sent."""
    folder = write_app(tmp_path, notes_app(auth={"session": {"expires_in": 2}}))
    with serving(folder) as server:
        client = server.socket(server.guest()[0])
        opened = time.monotonic()

        assert client.close_code() == REFUSED
        assert time.monotonic() - opened < 5


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
