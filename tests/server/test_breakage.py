"""What breaks around a running server: its children, its disk, its descriptors, its files, its terminal.

Each time: those who are not concerned notice nothing, those who are get an error, and when the trouble is over
so are the errors.
"""

import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import Server, returning, serving, write_app
from tests.support.servers import free_port
from tests.support.waiting import until

PID = "export default query({ handler: async () => process.pid });"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = write_app(tmp_path, functions={"ping": returning("pong"), "pid": PID})
    with serving(folder) as server:
        yield server


@contextmanager
def limited(server: Server, what: int, limit: int) -> Iterator[None]:
    """The running process may use no more than this of a resource."""
    before = resource.prlimit(server.pid, what)
    resource.prlimit(server.pid, what, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, what, before)


def add(server: Server, token: str, title: str) -> tuple[int, Any]:
    return server.request("POST", "/api/entities/Post", {"title": title}, token=token)


def test_a_killed_child_is_replaced_and_no_query_notices(server: Server) -> None:
    server.await_functions()
    token, _ = server.guest()
    for _ in range(3):
        os.kill(server.call("pid"), signal.SIGKILL)
        assert server.call("ping") == "pong"
        assert add(server, token, "meanwhile")[0] == 201

    until(lambda: len(server.children()) == 2, "a serving and a spare child")


def test_all_children_killed_at_once(server: Server) -> None:
    server.await_functions()
    until(lambda: len(server.children()) == 2, "a serving and a spare child")
    for pid in server.children():
        os.kill(pid, signal.SIGKILL)

    assert server.request("GET", "/health")[0] == 200
    until(lambda: server.request("POST", "/api/fn/ping", {}) == (200, "pong"), "the functions to be back")


def test_a_full_disk_refuses_writes_and_loses_nothing(server: Server) -> None:
    """A limit on the size of files stands for the disk: the log of the database cannot grow."""
    token, _ = server.guest()
    client = server.socket(token)
    stored = []
    with limited(server, resource.RLIMIT_FSIZE, 1_000_000):
        while (answer := add(server, token, "x" * 100_000))[0] == 201:
            stored.append(answer[1]["id"])

        assert answer[0] == 500
        assert answer[1]["code"] == "COMMIT_FAILED"
        assert server.request("GET", "/health")[0] == 200
        _, rows = server.request("GET", "/api/entities/Post", token=token)
        assert {row["id"] for row in rows} >= set(stored)
    status, after = add(server, token, "there is room again")

    assert status == 201
    _, rows = server.request("GET", "/api/entities/Post", token=token)
    announced = []
    while after["id"] not in announced:
        announced.append(client.next()["row_id"])
    assert announced == [row["id"] for row in rows], "the socket saw exactly what is stored"
    assert {row["id"] for row in rows} >= {*stored, after["id"]}


def test_out_of_descriptors_new_clients_wait_and_old_ones_are_served_or_told(server: Server) -> None:
    token, _ = server.guest()
    headers = {"Authorization": f"Bearer {token}"}
    old = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with ExitStack() as stack:
        stack.callback(old.close)
        old.request("GET", "/health")
        old.getresponse().read()
        used = len(os.listdir(f"/proc/{server.pid}/fd"))
        with limited(server, resource.RLIMIT_NOFILE, used + 2):
            crowd = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
                for _ in range(8)
            ]
            server.await_log("accept_paused")
            old.request("GET", "/api/entities/Post", headers=headers)
            answer = old.getresponse()
            told = json.loads(answer.read())
            # With a connection to the database left over from before nothing has to be opened.
            assert told == [] if answer.status == 200 else (answer.status, told["code"]) == (503, "NOT_AVAILABLE")
        old.request("GET", "/api/entities/Post", headers=headers)
        assert old.getresponse().read() == b"[]"
        for sock in crowd:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"


def test_the_pages_are_deleted_and_come_back(server: Server) -> None:
    public = server.app / "public"
    for text in (b"one", b"two"):
        public.mkdir()
        (public / "index.html").write_bytes(text)
        assert server.request("GET", "/") == (200, text)
        shutil.rmtree(public)
        assert server.request("GET", "/")[0] == 404
        assert server.request("GET", "/health")[0] == 200


def test_the_manifest_becomes_unreadable(server: Server) -> None:
    manifest = server.app / "pylon.manifest.json"
    text = manifest.read_text()

    manifest.unlink()
    server.await_log("Rebuild 2 failed")
    manifest.mkdir()
    server.await_log("cannot be read")
    assert server.request("GET", "/health")[0] == 200
    manifest.rmdir()
    manifest.write_text(text.replace('"0.1.0"', '"0.2.0"'))

    server.await_log("notes 0.2.0")
    until(lambda: _answers(server), "the new app")


def _answers(server: Server) -> bool:
    try:
        return server.request("GET", "/health")[0] == 200
    except OSError:
        return False


def test_the_terminal_goes_away_and_the_server_does_not(tmp_path: Path) -> None:
    """Nobody reads what it logs any more; requests that are logged are answered all the same."""
    folder, port = write_app(tmp_path), free_port()
    command = [sys.executable, "-m", "pylon_cli", "dev", str(folder), "--port", str(port)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYLON_EXTRA_PORTS": "0", "PYLON_ACCESS_LOG": "all"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    server = Server(folder, port=port)
    until(lambda: _answers(server), "the server")
    process.stdout.close()
    process.stderr.close()
    try:
        token, _ = server.guest()
        for _ in range(20):
            assert add(server, token, "hello")[0] == 201
            assert server.request("POST", "/api/entities/Post", {"title": "refused"})[0] == 403
    finally:
        process.terminate()
    assert process.wait(15) in (0, 1)


def test_a_log_on_a_full_disk_fails_no_request(tmp_path: Path) -> None:
    folder, port = write_app(tmp_path), free_port()
    command = [sys.executable, "-m", "pylon_cli", "start", str(folder), "--port", str(port), "--json"]
    settings = {
        "PYLON_EXTRA_PORTS": "0",
        "PYLON_ACCESS_LOG": "all",
        "PYLON_HOST": "127.0.0.1",
        "PYLON_CORS_ORIGIN": "https://notes.example",
    }
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=full, stdin=subprocess.DEVNULL
        )
    assert process.stdout is not None
    server = Server(folder, port=port)
    try:
        assert json.loads(process.stdout.readline())["code"] == "START_OK"
        token, _ = server.guest()
        for _ in range(20):
            assert add(server, token, "hello")[0] == 201
    finally:
        process.terminate()
        process.stdout.close()
    assert process.wait(15) == 0
