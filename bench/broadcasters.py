"""The servers whose live events are measured: each starts on a fresh folder with one table that everybody who is
signed in may read, so a rule is judged for every subscriber.

How a subscriber opens its stream and how an event looks on it is theirs; ``Broadcaster`` hides the former, and the
text that is published is found in either by its shape.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Client, pocketbase_process, pocketbase_user, pylon_process

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
    field = {"name": "title", "type": "string", "optional": False, "unique": False}
    manifest = {
        "manifest_version": 1,
        "name": "bench",
        "version": "1",
        "routes": [],
        "entities": [{"name": "Note", "fields": [field], "indexes": []}],
        "policies": [{"name": "members", "entity": "Note", "allow": "auth.userId != null"}],
    }
    with pylon_process(folder, manifest, cpu) as (port, pid):
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
    with pocketbase_process(folder, cpu) as (port, pid, admin):
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
        user, _ = pocketbase_user(port, admin)

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
