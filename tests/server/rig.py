"""What the tests of the whole server share: apps on disk, waiting, what a server leaves behind.

The app has an entity for each question: ``Note`` belongs to its owner, ``Post`` is for everybody, ``User`` has
secret fields. Its functions wait for files, so a test decides when they go on.
"""

import json
import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wsproto.events import Ping, Pong

from tests.strategies.documents import Document, app, entity, field
from tests.support.servers import ServerProcess
from tests.support.sockets import WireClient
from tests.support.waiting import until

ADMIN_TOKEN = "the-administrator"
MARK = "PYLON_TEST_MARK"
"""An environment variable by which a server's processes are known, its children's included."""


def optional(name: str, type_: str = "string", **members: Any) -> Document:
    return field(name, type_, optional=True, **members)


def rules(entity_name: str, **expressions: str) -> Document:
    return {"name": f"{entity_name.lower()}_rules", "entity": entity_name, **expressions}


def notes_app(**members: Any) -> Document:
    fields = [
        field(),
        optional("ownerId"),
        optional("rank", "int"),
        optional("score", "float"),
        optional("done", "bool"),
    ]
    return (
        app(
            name="notes",
            entities=[
                entity("Note", fields=fields, crdt=False),
                entity("Post", fields=[field()], crdt=False),
                entity(
                    "User",
                    fields=[
                        field("email", unique=True),
                        optional("passwordHash"),
                        optional("_internal"),
                        optional("phone"),
                    ],
                    crdt=False,
                ),
            ],
            policies=[
                rules("Note", allow="auth.userId == data.ownerId"),
                rules("Post", allow="auth.userId != null"),
                rules("User", allowRead="auth.userId != null", allowWrite="auth.userId != null"),
            ],
            auth={"user": {"entity": "User", "hide": ["phone"]}},
        )
        | members
    )


FUNCTION_HEADER = (
    'import { action, mutation, query, v } from "@pylonsync/functions";\nimport { existsSync } from "node:fs";\n'
)
GATED_MUTATION = """
export default mutation({
  args: { title: v.string(), gate: v.string() },
  handler: async (ctx, args) => {
    const id = await ctx.db.insert("Post", { title: args.title });
    await Bun.write(args.gate + ".reached", "");
    while (!existsSync(args.gate)) await Bun.sleep(5);
    return { id };
  },
});
"""
"""Inserts, says so, and commits once the file ``gate`` exists."""


def returning(value: object) -> str:
    return f"export default query({{ handler: async () => ({json.dumps(value)}) }});"


def write_app(folder: Path, document: Document | None = None, functions: Mapping[str, str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, notes_app() if document is None else document)
    for name, body in (functions or {}).items():
        write_function(folder, name, body)
    return folder


def write_manifest(folder: Path, document: Document) -> None:
    """Replaced in one step, as editors do it."""
    replace_file(folder / "pylon.manifest.json", json.dumps(document))


def write_function(folder: Path, name: str, body: str) -> None:
    (folder / "functions").mkdir(exist_ok=True)
    replace_file(folder / "functions" / f"{name}.ts", FUNCTION_HEADER + body)


def replace_file(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.replace(path)


class LiveSocket(WireClient):
    def is_open(self) -> bool:
        """Whether somebody serves it: it answers a ping."""
        self.send(Ping(payload=b"there?"))
        return any(isinstance(event, Pong) for event in self._events)


class Server(ServerProcess):
    """A server process that knows its descendants."""

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None, port: int | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self._sockets: list[LiveSocket] = []
        super().__init__(folder, env={MARK: self.mark, **(env or {})}, port=port)

    def processes(self) -> list[int]:
        """Every live process that was started from the server, the server included."""
        return marked(self.mark)

    def children(self) -> list[int]:
        return [pid for pid in self.processes() if pid != self.pid]

    def socket(self, token: str | None, **options: Any) -> LiveSocket:
        """A sync socket, dropped when the test is over; the token goes as a subprotocol."""
        client = LiveSocket(self.port, token, **options)
        self._sockets.append(client)
        return client

    def drop_sockets(self) -> None:
        for client in self._sockets:
            client.drop()

    def log_text(self) -> str:
        return self.log.read_text()

    def await_log(self, text: str) -> None:
        until(lambda: text in self.log_text(), f"{text!r} in the log")

    def call(self, name: str, args: Any = None, token: str | None = None) -> Any:
        status, answer = self.request("POST", f"/api/fn/{name}", {} if args is None else args, token=token)
        assert status == 200, answer
        return answer

    @contextmanager
    def unchanged(self, token: str) -> Iterator[None]:
        """Asserts that the body wrote nothing that the token's holder could see."""
        before = self._newest_seq(token)
        yield
        assert self._newest_seq(token) == before

    def _newest_seq(self, token: str) -> int:
        status, answer = self.request("GET", "/api/sync/pull?since=0", token=token)
        while status == 200 and answer["has_more"]:
            status, answer = self.request(
                "GET", f"/api/sync/pull?since={answer['cursor']['last_seq']}", token=token
            )
        assert status == 200, answer
        return int(answer["cursor"]["last_seq"])

    def await_functions(self, name: str = "ping") -> None:
        until(lambda: self.request("POST", f"/api/fn/{name}", {})[0] == 200, f"the function {name}")


@contextmanager
def serving(folder: Path, *, env: Mapping[str, str] | None = None, command: str = "dev") -> Iterator[Server]:
    """A running server; at the end none of its processes may be left."""
    server = Server(folder, env=env)
    server.start(command)
    try:
        yield server
    finally:
        server.drop_sockets()
        server.stop()
    try:
        until(lambda: not server.processes(), "the end of its processes")
    finally:
        for pid in server.processes():
            os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """The live processes with this mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and wanted in _environment_of(name)]


def _environment_of(pid: str) -> bytes:
    """Empty for a process that has ended."""
    try:
        return Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return b""
