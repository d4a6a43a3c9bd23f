"""A gateway around a router that only remembers what it was asked, for tests of what stands around the router."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from pylon_auth import CredentialResolver, SessionStore
from pylon_http import Answer, Request, Response
from pylon_router import Caller
from pylon_runtime.config import ServerConfig
from pylon_runtime.gateway import BODY_BYTES_MAX, Gateway, GatewayParts
from pylon_runtime.health import Health
from pylon_runtime.pushed_bodies import PushedBodies
from pylon_runtime.static_files import StaticFiles
from pylon_runtime.uploads import Uploads
from tests.pylon_auth.memory_backend import MemorySessionBackend, SetClock

SITE = "https://app.example.com"
ADMIN_TOKEN = "the-admin-token"
COOKIE = "app_session"


class GatewayRig:
    def __init__(self, environ: Mapping[str, str] | None = None, public: Path | None = None) -> None:
        self.clock = SetClock()
        self.has_database = True
        self.sessions = SessionStore(MemorySessionBackend(), self.clock, secrets.token_bytes)
        self.calls: list[tuple[str, str, bytes, Caller]] = []
        self.answer: Callable[[], Answer] = lambda: Response.json({"routed": True})
        self.config = ServerConfig.from_env(
            {"PYLON_CORS_ORIGIN": SITE, "PYLON_ADMIN_TOKEN": ADMIN_TOKEN} | dict(environ or {})
        )
        parts = GatewayParts(
            config=self.config,
            credentials=CredentialResolver(self.sessions, self.config.admin_token),
            cookie_name=COOKIE,
            files=StaticFiles(public, None),
            uploads=Uploads(BODY_BYTES_MAX),
            pushed=PushedBodies(self.clock),
            clock=self.clock,
            random_bytes=secrets.token_bytes,
            health=Health(lambda: self.has_database, self.clock, "0.1.0"),
        )
        self.gateway = Gateway(parts, GatewayRig._route, self)

    def send(self, method: str, target: str, body: bytes = b"", /, **headers: str) -> Response:
        """Header names are written with ``_`` for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.handle(Request(method, target, sent, body, "10.0.0.1"))

    @property
    def caller(self) -> Caller:
        """Of the one request that reached the router."""
        assert len(self.calls) == 1
        return self.calls[0][3]

    def _route(self, method: str, url: str, body: bytes, caller: Caller) -> Answer:
        self.calls.append((method, url, body, caller))
        return self.answer()
