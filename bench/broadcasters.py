"""The servers whose live events are measured: each starts on a fresh folder with one table that everybody who is
signed in may read, so a rule is judged for every subscriber.

How a subscriber opens its stream and how an event looks on it is theirs; ``Broadcaster`` hides the former, and the
text that is published is found in either by its shape.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contenders import Client, free_port, process, wait_for

SOCKETS_PER_USER = 50
"""A server may bound what one user opens."""
SOCKETS_PER_ADDRESS = 60
"""Or one address: the whole of 127.0.0.0/8 is this machine."""
HERE = "127.0.0.1"

ANSWER_BYTES_MAX = 65536


@dataclass(frozen=True)
class Broadcaster:
    """A server under test. ``open_stream`` gives the socket of the n-th subscriber, once it hears of events, and
    what was read too much; ``publish`` creates a row, and returns when that is acknowledged."""

    name: str
    pid: int
    open_stream: Callable[[int], tuple[socket.socket, bytes]]
    publish: Callable[[str], None]


@contextmanager
def pylon(folder: Path, cpu: int | None) -> Iterator[Broadcaster]:
    port = free_port()
    field = {"name": "title", "type": "string", "optional": False, "unique": False}
    manifest = {
        "manifest_version": 1,
        "name": "bench",
        "version": "1",
        "routes": [],
        "entities": [{"name": "Note", "fields": [field], "indexes": []}],
        "policies": [{"name": "members", "entity": "Note", "allow": "auth.userId != null"}],
    }
    (folder / "pylon.manifest.json").write_text(json.dumps(manifest))
    env = {
        "PYLON_CORS_ORIGIN": "https://bench.example",
        "PYLON_ADMIN_TOKEN": "bench-admin",
        "PYLON_EXTRA_PORTS": "0",
        "PYLON_HOST": "127.0.0.1",
        "PYLON_DB_PATH": str(folder / "bench.db"),
    }
    command = [sys.executable, "-m", "pylon_cli", "start", str(folder), "--port", str(port)]
    with process(command, cpu, env, folder / "server.log") as pid:
        wait_for(port, "/health")
        writer = Client(port, Client(port).send("POST", "/api/auth/guest")["token"])
        tokens: list[str] = []

        def open_stream(number: int) -> tuple[socket.socket, bytes]:
            if number // SOCKETS_PER_USER >= len(tokens):
                tokens.append(Client(port).send("POST", "/api/auth/guest")["token"])
            address = 1 + number // SOCKETS_PER_ADDRESS
            headers = {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Authorization": f"Bearer {tokens[number // SOCKETS_PER_USER]}",
            }
            return _opened(port, f"127.0.{address >> 8}.{address & 255}", "/", headers)

        yield Broadcaster(
            "pylon", pid, open_stream, lambda title: writer.send("POST", "/api/entities/Note", {"title": title})
        )


@contextmanager
def pocketbase(folder: Path, cpu: int | None) -> Iterator[Broadcaster]:
    port = free_port()
    binary = str(Path(sys.executable).with_name("pocketbase"))
    data = str(folder / "pb_data")
    identity, password = "bench@example.com", "benchbench1"
    subprocess.run(
        [binary, "superuser", "upsert", identity, password, "--dir", data], check=True, capture_output=True
    )
    command = [binary, "serve", f"--http=127.0.0.1:{port}", "--dir", data]
    with process(command, cpu, {}, folder / "server.log") as pid:
        wait_for(port, "/api/health")
        admin, user = Client(port), Client(port)
        admin.token = _signed_in(admin, "_superusers", identity, password)
        members = '@request.auth.id != ""'
        admin.send(
            "POST",
            "/api/collections",
            {
                "name": "notes",
                "type": "base",
                "listRule": members,
                "viewRule": members,
                "createRule": members,
                "fields": [{"name": "title", "type": "text", "required": True}],
            },
        )
        person = {"email": "user@example.com", "password": password, "passwordConfirm": password}
        admin.send("POST", "/api/collections/users/records", person)
        user.token = _signed_in(user, "users", person["email"], password)

        def open_stream(_number: int) -> tuple[socket.socket, bytes]:
            sock, begun = _opened(port, HERE, "/api/realtime", {"Accept": "text/event-stream"})
            while b"\n\n" not in begun:
                begun += sock.recv(ANSWER_BYTES_MAX)
            greeting = next(line for line in begun.split(b"\n") if line.startswith(b"data:"))
            client_id = json.loads(greeting.removeprefix(b"data:"))["clientId"]
            user.send("POST", "/api/realtime", {"clientId": client_id, "subscriptions": ["notes/*"]})
            return sock, b""

        yield Broadcaster(
            "pocketbase",
            pid,
            open_stream,
            lambda title: user.send("POST", "/api/collections/notes/records", {"title": title}),
        )


def _signed_in(client: Client, collection: str, identity: str, password: str) -> str:
    answer: Any = client.send(
        "POST",
        f"/api/collections/{collection}/auth-with-password",
        {"identity": identity, "password": password},
    )
    return str(answer["token"])


def _opened(port: int, source: str, path: str, headers: Mapping[str, str]) -> tuple[socket.socket, bytes]:
    sock = socket.create_connection((HERE, port), source_address=(source, 0))
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    received = b""
    while b"\r\n\r\n" not in received:
        more = sock.recv(ANSWER_BYTES_MAX)
        if not more:
            break
        received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] not in ([b"101"], [b"200"]):
        raise RuntimeError(f"a subscriber was refused: {received[:200]!r}")
    return sock, rest


BROADCASTERS = {"pylon": pylon, "pocketbase": pocketbase}
