"""The files of an app behind a real server in this process, for a few identities, over a storage of choice."""

import http.client
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from pylon_auth import CookieConfig, CredentialResolver, SessionStore
from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_http.files import FileStorage
from pylon_policy import PolicyEngine
from pylon_router import UPLOAD_PATH, RouterContext, dispatch
from pylon_runtime.config import ServerConfig
from pylon_runtime.gateway import Gateway, GatewayParts
from pylon_runtime.health import Health
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.pushed_bodies import PushedBodies
from pylon_runtime.server import PylonServer
from pylon_runtime.static_files import StaticFiles
from pylon_runtime.uploads import UPLOADS_MAX, Uploads
from pylon_runtime.wsgi import WsgiApp
from pylon_storage import EphemeralStore
from pylon_storage.files import FileLibrary, SqlFileIndex
from tests.pylon_auth.memory_backend import MemorySessionBackend
from tests.pylon_runtime.server_rig import PATIENCE_S, RawClient, no_upgrade

ADMIN_TOKEN = "the-admin-token"
SITE = "https://app.example.com"
COOKIE = "app_session"
BYTES_MAX = 4 << 20

MANIFEST = parse_manifest(
    '{"manifest_version": 1, "name": "f", "version": "1", "routes": [], "entities": '
    '[{"name": "Note", "fields": [], "indexes": []}]}'
)


class HttpAnswer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


class FileServer:
    """``tokens`` are those of alice, bob, a guest and the administrator; ``None`` is anonymous."""

    def __init__(
        self, storage: FileStorage, limits: ServerLimits | None, bytes_max: int, uploads_max: int
    ) -> None:
        clock = SystemClock()
        self.store = EphemeralStore(MANIFEST, watched={}, clock=clock)
        self.library = FileLibrary(storage, SqlFileIndex(self.store.tables), clock, secrets.token_bytes)
        sessions = SessionStore(MemorySessionBackend(), clock, secrets.token_bytes)
        guest = sessions.create_guest(None)
        self.guest_id = guest.session.user_id
        self.tokens: Mapping[str, str | None] = {
            "anonymous": None,
            "guest": guest.token,
            "alice": sessions.create("alice").token,
            "bob": sessions.create("bob").token,
            "admin": ADMIN_TOKEN,
        }
        context = RouterContext(
            manifest=MANIFEST,
            store=self.store,
            policies=PolicyEngine(MANIFEST, default_allow=False),
            sessions=sessions,
            cookie=CookieConfig(COOKIE),
            clock=clock,
            files=self.library,
        )
        config = ServerConfig.from_env({"PYLON_CORS_ORIGIN": SITE, "PYLON_ADMIN_TOKEN": ADMIN_TOKEN})
        parts = GatewayParts(
            config=config,
            credentials=CredentialResolver(sessions, ADMIN_TOKEN),
            cookie_name=COOKIE,
            files=StaticFiles(None, None),
            uploads=Uploads(bytes_max, uploads_max),
            pushed=PushedBodies(clock),
            clock=clock,
            random_bytes=secrets.token_bytes,
            health=Health(lambda: True, clock, "0.1.0"),
        )
        self.gateway = Gateway(parts, dispatch, context)
        self.wsgi = WsgiApp(self.gateway, bytes_max)
        self._server = PylonServer(
            "127.0.0.1",
            0,
            self.gateway.begin,
            no_upgrade,
            msgspec.structs.replace(limits or ServerLimits(), streamed_bytes_max=bytes_max),
            wsgi_app=self.wsgi,
            clock=clock,
            headers=self.gateway.common_headers,
            idle=self.store.flush,
            streamed_paths=(UPLOAD_PATH,),
        )
        self.store.on_left_over(self._server.nudge)
        self.port = self._server.port
        self._server.start()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        /,
        who: str = "alice",
        *,
        port: int | None = None,
        **headers: str,
    ) -> HttpAnswer:
        """One request on a connection of its own; header names are written with ``_`` for ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE_S)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.tokens[who] is not None:
            sent.setdefault("authorization", f"Bearer {self.tokens[who]}")
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            known = {name.lower(): value for name, value in response.getheaders()}
            return HttpAnswer(response.status, known, response.read())
        finally:
            connection.close()

    def upload(
        self, data: bytes | Iterable[bytes] = b"abc", /, who: str = "alice", query: str = "", **headers: str
    ) -> str:
        """The id of a new file."""
        answer = self.ask("POST", UPLOAD_PATH + query, data, who, port=None, **headers)
        assert answer.status == 201, answer
        return str(answer.json["id"])

    def client(self) -> RawClient:
        return RawClient(self.port)

    def head(self, *lines: str, who: str = "alice") -> bytes:
        """The head of an upload."""
        start = [f"POST {UPLOAD_PATH} HTTP/1.1", "Host: test", f"Authorization: Bearer {self.tokens[who]}"]
        return "\r\n".join([*start, *lines, "", ""]).encode("latin-1")

    def file_count(self) -> int:
        return len(self.library.page(None, None, 1000))

    def stop(self) -> None:
        self._server.stop(SystemClock().monotonic() + PATIENCE_S)
        self.store.close()


@contextmanager
def serving_files(
    storage: FileStorage,
    limits: ServerLimits | None = None,
    *,
    bytes_max: int = BYTES_MAX,
    uploads_max: int = UPLOADS_MAX,
) -> Iterator[FileServer]:
    server = FileServer(storage, limits, bytes_max, uploads_max)
    try:
        yield server
    finally:
        server.stop()
