"""The servers that are measured: each starts on a fresh folder, with the same rows, the same rule, one user.

The rule is the same for both: a row is its owner's alone, to read and to create. Nothing else of either is
changed from how it ships; what differs (what ``synchronous`` means for each) is printed with the results.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS = 10_000
PASSWORD = "benchbench1"
MANIFEST = {
    "manifest_version": 1,
    "name": "bench",
    "version": "1",
    "routes": [],
    "entities": [
        {
            "name": "Note",
            "fields": [
                {"name": "owner", "type": "string", "optional": False, "unique": False},
                {"name": "title", "type": "string", "optional": False, "unique": False},
                {"name": "body", "type": "string", "optional": True, "unique": False},
            ],
            "indexes": [{"name": "by_owner", "fields": ["owner"], "unique": False}],
        }
    ],
    "policies": [{"name": "own", "entity": "Note", "allow": "data.owner == auth.userId"}],
}


@dataclass(frozen=True)
class Running:
    """A server under test: how to reach it, as whom, and what it holds."""

    name: str
    url: str
    pid: int
    token: str
    user_id: str
    row_path: str
    create_path: str
    list_path: str
    ids: Path
    count: Any
    """Callable: how many rows it holds now, asked over HTTP."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """A keep-alive JSON client for setting up and checking."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.token = token
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
        return json.loads(text) if text else None


@contextmanager
def process(command: list[str], cpu: int | None, env: dict[str, str], log: Path) -> Iterator[int]:
    if cpu is not None:
        command = ["taskset", "-c", str(cpu), *command]
    with log.open("wb") as output:
        child = subprocess.Popen(command, env={**os.environ, **env}, stdout=output, stderr=output)
    try:
        yield child.pid
    finally:
        child.terminate()
        child.wait(30)


def wait_for(port: int, path: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError, RuntimeError, http.client.HTTPException):
            Client(port).send("GET", path)
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the server does not answer")
        time.sleep(0.02)


@contextmanager
def pylon_process(folder: Path, manifest: dict[str, Any], cpu: int | None) -> Iterator[tuple[int, int]]:
    """Its port and its process id, once it answers."""
    port = free_port()
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
        yield port, pid


@contextmanager
def pocketbase_process(folder: Path, cpu: int | None) -> Iterator[tuple[int, int, Client]]:
    """Its port and its process id, once it answers, and its administrator."""
    port = free_port()
    binary = str(Path(sys.executable).with_name("pocketbase"))
    data = str(folder / "pb_data")
    identity = "bench@example.com"
    upsert = [binary, "superuser", "upsert", identity, PASSWORD, "--dir", data]
    subprocess.run(upsert, check=True, capture_output=True)
    command = [binary, "serve", f"--http=127.0.0.1:{port}", "--dir", data]
    with process(command, cpu, {}, folder / "server.log") as pid:
        wait_for(port, "/api/health")
        admin = Client(port)
        admin.token = signed_in(admin, "_superusers", identity)["token"]
        yield port, pid, admin


def pocketbase_user(port: int, admin: Client) -> tuple[Client, str]:
    """A new user, signed in, and its id."""
    person = {"email": "user@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
    admin.send("POST", "/api/collections/users/records", person)
    user = Client(port)
    answer = signed_in(user, "users", person["email"])
    user.token = answer["token"]
    return user, answer["record"]["id"]


def signed_in(client: Client, collection: str, identity: str) -> Any:
    path = f"/api/collections/{collection}/auth-with-password"
    return client.send("POST", path, {"identity": identity, "password": PASSWORD})


@contextmanager
def pylon(folder: Path, cpu: int | None) -> Iterator[Running]:
    with pylon_process(folder, MANIFEST, cpu) as (port, pid):
        guest = Client(port).send("POST", "/api/auth/guest")
        user = Client(port, guest["token"])
        ids = fill(user, "/api/entities/Note", guest["user_id"], folder)
        count = Client(port, guest["token"])

        def rows() -> int:
            after, found = "", 0
            while True:
                page = count.send("GET", f"/api/entities/Note/cursor?limit=100&after={after}")
                found += len(page["data"])
                if not page["has_more"]:
                    return found
                after = page["next_cursor"]

        yield Running(
            name="pylon",
            url=f"http://127.0.0.1:{port}",
            pid=pid,
            token=guest["token"],
            user_id=guest["user_id"],
            row_path="/api/entities/Note/",
            create_path="/api/entities/Note",
            list_path="/api/entities/Note?limit=20",
            ids=ids,
            count=rows,
        )


@contextmanager
def pocketbase(folder: Path, cpu: int | None) -> Iterator[Running]:
    with pocketbase_process(folder, cpu) as (port, pid, admin):
        rule = "owner = @request.auth.id"
        admin.send(
            "POST",
            "/api/collections",
            {
                "name": "notes",
                "type": "base",
                "listRule": rule,
                "viewRule": rule,
                "createRule": rule,
                "fields": [
                    {"name": "owner", "type": "text", "required": True},
                    {"name": "title", "type": "text", "required": True},
                    {"name": "body", "type": "text"},
                ],
                "indexes": ["CREATE INDEX by_owner ON notes (owner)"],
            },
        )
        user, user_id = pocketbase_user(port, admin)
        ids = fill(user, "/api/collections/notes/records", user_id, folder)

        def rows() -> int:
            page = admin.send("GET", "/api/collections/notes/records?perPage=1")
            return int(page["totalItems"])

        yield Running(
            name="pocketbase",
            url=f"http://127.0.0.1:{port}",
            pid=pid,
            token=str(user.token),
            user_id=user_id,
            row_path="/api/collections/notes/records/",
            create_path="/api/collections/notes/records",
            list_path="/api/collections/notes/records?perPage=20&skipTotal=1",
            ids=ids,
            count=rows,
        )


def fill(user: Client, path: str, user_id: str, folder: Path) -> Path:
    """Create the rows through the API, as the user; returns a file with an id a line."""
    ids = folder / "ids.txt"
    with ids.open("w") as out:
        for number in range(ROWS):
            row = user.send("POST", path, {"owner": user_id, "title": f"note {number}", "body": "x" * 60})
            out.write(row["id"] + "\n")
    return ids


CONTENDERS = {"pylon": pylon, "pocketbase": pocketbase}
