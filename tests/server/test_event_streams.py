"""The event stream of a real server: where it is, who sees what, and that it says what the WebSocket says."""

import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, notes_app, optional, rules, serving, write_app
from tests.strategies.documents import Document, entity, field
from tests.support.servers import free_ports_in_a_row
from tests.support.sockets import StreamClient, WireClient
from tests.support.waiting import PATIENCE_S, until

EVIL = "https://evil.example"


def app() -> Document:
    """``notes_app`` with an entity whose public rows anybody may read."""
    document = notes_app()
    document["entities"].append(entity("Notice", fields=[field("text"), optional("public", "bool")], crdt=False))
    document["policies"].append(
        rules("Notice", allowRead="data.public == true || auth.userId != null", allowWrite="auth.userId != null")
    )
    return document


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), app())
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as running:
        yield running
        assert "Traceback" not in running.log_text()


class Opener:
    """Opens streams, and drops them when the test is over."""

    def __init__(self) -> None:
        self._opened: list[StreamClient] = []

    def __call__(self, port: int, token: str | None = None, **options: Any) -> StreamClient:
        client = StreamClient(port, token, **options)
        self._opened.append(client)
        return client

    def drop_all(self) -> None:
        for client in self._opened:
            client.drop()


@pytest.fixture
def stream() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.drop_all()


def notice(server: Server, token: str, *, public: bool = True) -> str:
    status, row = server.request("POST", "/api/entities/Notice", {"text": "x", "public": public}, token=token)
    assert status == 201, row
    return str(row["id"])


def rows(client: StreamClient, last: str) -> list[str]:
    """The rows the stream tells of, up to this one."""
    found = []
    for message in client.messages():
        found.append(message["row_id"])
        if message["row_id"] == last:
            return found
    raise AssertionError(f"the stream ended: {found}")


@pytest.mark.parametrize("path", ["/events", "/api/sync/events", "/events?cache=1"])
def test_the_main_port_streams_at_its_paths(server: Server, stream: Opener, path: str) -> None:
    token, _ = server.guest()
    client = stream(server.port, request=f"GET {path} HTTP/1.1")

    row_id = notice(server, token)

    assert client.headers["Content-Type"] == "text/event-stream"
    assert client.block() == ": connected"
    assert row_id in rows(client, row_id)


def test_elsewhere_the_main_port_does_not(server: Server) -> None:
    for method, path, status in [
        ("GET", "/events/", 404),
        ("POST", "/events", 404),
        ("POST", "/api/sync/events", 404),
        ("HEAD", "/api/sync/events", 404),
        ("OPTIONS", "/events", 204),
    ]:
        assert server.request(method, path)[0] == status


def test_a_browser_that_goes_there_gets_the_apps_page(tmp_path: Path) -> None:
    folder = write_app(tmp_path)
    (folder / "public").mkdir()
    (folder / "public" / "events.html").write_text("a page")
    (folder / "public" / "index.html").write_text("the app")
    with serving(folder) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(
            b"GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*;q=0.8\r\nConnection: close\r\n\r\n"
        )
        answer = client.makefile("rb").read()

    assert b"text/event-stream" not in answer


def test_a_stream_says_what_the_pull_and_the_socket_say(server: Server, stream: Opener) -> None:
    token, _ = server.guest()
    live = server.socket(token)
    client = stream(server.port, token)

    row_id = notice(server, token)
    server.request("PATCH", f"/api/entities/Notice/{row_id}", {"text": "y"}, token=token)
    server.request("DELETE", f"/api/entities/Notice/{row_id}", token=token)

    streamed = take(client, 3, row_id)
    assert [message["kind"] for message in streamed] == ["insert", "update", "delete"]
    assert streamed == take(live, 3, row_id)
    _, page = server.request("GET", "/api/sync/pull?since=0", token=token)
    assert streamed == [change for change in page["changes"] if change["row_id"] == row_id]


def take(client: StreamClient | WireClient, count: int, row_id: str) -> list[Mapping[str, Any]]:
    """The next messages about a row."""
    about = (message for message in client.messages() if message.get("row_id") == row_id)
    return list(itertools.islice(about, count))


def test_each_credential_streams_as_its_own_identity(server: Server, stream: Opener) -> None:
    token, user_id = server.guest()
    _, note = server.request("POST", "/api/entities/Note", {"title": "mine", "ownerId": user_id}, token=token)
    last = notice(server, token)
    cookie = {"Cookie": f"a=b; notes_session={token}"}
    seers = [
        stream(server.port, token),
        stream(server.port, headers=cookie),
        stream(server.port, ADMIN_TOKEN),
    ]
    stranger, anybody = stream(server.port, server.guest()[0]), stream(server.port)

    assert all(note["id"] in rows(client, last) for client in seers)
    assert note["id"] not in rows(stranger, last)
    assert note["id"] not in rows(anybody, last)


def test_without_a_credential_only_public_rows_are_seen(server: Server, stream: Opener) -> None:
    token, _ = server.guest()
    anybody = stream(server.port)

    hidden = notice(server, token, public=False)
    shown = notice(server, token)
    server.request("PATCH", f"/api/entities/Notice/{shown}", {"public": False}, token=token)
    last = notice(server, token)

    seen = [(message["kind"], "data" in message) for message in take(anybody, 2, shown)]
    assert seen == [("insert", True), ("delete", False)]
    assert hidden not in rows(anybody, last)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer bad"},
        {"Authorization": "Bearer pk.key_a.b"},
        {"Authorization": "Bearer"},
        {"Cookie": "notes_session=stale"},
    ],
)
def test_a_credential_that_fails_is_no_anonymous_stream(
    server: Server, stream: Opener, headers: dict[str, str]
) -> None:
    client = stream(server.port, headers=headers)

    assert client.status == 401
    assert json.loads(client.rest())["code"] == "UNAUTHORIZED"
    client.drop()


def test_a_foreign_page_may_not_stream_in_somebodys_name(server: Server, stream: Opener) -> None:
    token, _ = server.guest()
    cookie = {"Cookie": f"notes_session={token}"}
    foreign = stream(server.port, headers={**cookie, "Origin": EVIL})
    local = stream(server.port, headers={**cookie, "Origin": "http://localhost:5173"})
    anybody = stream(server.port, headers={"Origin": EVIL})

    assert foreign.status == 403
    assert (local.status, local.headers["Access-Control-Allow-Origin"]) == (200, "http://localhost:5173")
    assert (anybody.status, anybody.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_in_production_streams_are_for_the_apps_own_pages(tmp_path: Path, stream: Opener) -> None:
    env = {"PYLON_CORS_ORIGIN": "https://notes.example", "PYLON_HOST": "127.0.0.1"}
    with serving(write_app(tmp_path), env=env, command="start") as server:
        found = [
            stream(server.port, headers={"Origin": origin}).status
            for origin in ("https://notes.example", EVIL, "null")
        ]

        assert found == [200, 403, 403]


def test_signing_out_ends_the_streams_of_that_session(server: Server, stream: Opener) -> None:
    token, _ = server.guest()
    client = stream(server.port, token)
    client.block()

    server.request("DELETE", "/api/auth/session", token=token)

    assert all(message["seq"] for message in client.messages())
    assert stream(server.port, token).status == 401


def test_a_stream_on_a_kept_alive_connection_takes_that_over(server: Server) -> None:
    token, _ = server.guest()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        request = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(2):
            client.sendall(request % b"/health")
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        client.sendall(request % b"/events")
        received = client.recv(65536)
        row_id = notice(server, token).encode()
        while row_id not in received:
            received += client.recv(65536)

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n: connected\n\n" in received


def test_the_extra_port_streams_whatever_is_asked(tmp_path: Path, stream: Opener) -> None:
    server = Server(write_app(tmp_path, app()), env={"PYLON_EXTRA_PORTS": "1"}, port=free_ports_in_a_row())
    server.start()
    try:
        token, user_id = server.guest()
        _, note = server.request("POST", "/api/entities/Note", {"title": "t", "ownerId": user_id}, token=token)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        askers = [
            stream(server.port + 2, request="GET /events HTTP/1.1"),
            stream(server.port + 2, request="GET /anything/at/all HTTP/1.1", headers={"Accept": "text/html"}),
            stream(server.port + 2, request="POST / HTTP/1.1", headers={"Content-Length": "0"}),
            stream(server.port + 2, request="POST /api/files/upload HTTP/1.1", headers={"Content-Length": "9"}),
            stream(server.port + 2, request="GET / HTTP/1.0"),
            stream(server.port + 2, headers=upgrade),
        ]
        owner = stream(server.port + 2, token)
        last = notice(server, token)

        assert [rows(client, last) for client in askers] == [[last]] * len(askers)
        assert rows(owner, last) == [note["id"], last]
        assert stream(server.port + 2, "bad").status == 401
        preflight = stream(
            server.port + 2,
            request="OPTIONS /events HTTP/1.1",
            headers={
                "Origin": "http://localhost:5173",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "authorization",
            },
        )
        assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        cookie = {"Cookie": f"notes_session={token}", "Origin": EVIL}
        assert stream(server.port + 2, headers=cookie).status == 403
    finally:
        stream.drop_all()
        assert server.stop() == 0


def test_an_address_has_64_streams_apart_from_its_sockets(tmp_path: Path, stream: Opener) -> None:
    with serving(write_app(tmp_path), env={"PYLON_TRUST_PROXY_HOPS": "1"}) as server:
        here, elsewhere = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}
        held = [stream(server.port, headers=here) for _ in range(64)]
        assert {client.status for client in held} == {200}

        refused = stream(server.port, headers=here)

        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        assert json.loads(refused.rest())["code"] == "RATE_LIMITED"
        assert stream(server.port, headers=elsewhere).status == 200
        token, _ = server.guest()
        socket_of_it = server.socket(token, headers=[(b"X-Forwarded-For", b"203.0.113.7")])
        assert socket_of_it.is_open()
        held[0].drop()
        until(lambda: stream(server.port, headers=here).status == 200, "the free slot")


def test_a_stop_ends_streams_at_once(tmp_path: Path, stream: Opener) -> None:
    with serving(write_app(tmp_path)) as server:
        client = stream(server.port)
        client.block()
        started = time.monotonic()

        os.kill(server.pid, signal.SIGTERM)

        assert client.rest() == b""
        client.drop()
        assert server.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < 5
