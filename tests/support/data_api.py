"""A whole data API without a server: ``route()`` over a store, called as one of a few identities."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from pylon_auth import ADMIN, ANONYMOUS, AuthContext, CookieConfig, SessionStore
from pylon_core import jsontext
from pylon_core.clock import Clock, SystemClock
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import ChangeEvent, Response, Row
from pylon_policy import PolicyEngine
from pylon_router import Caller, RouterContext, route
from pylon_storage import SqlSessionBackend
from tests.strategies.documents import Document, app, entity, field
from tests.support.engines import ENGINES, engine_of_tests

IDENTITIES = {
    "anonymous": ANONYMOUS,
    "guest": AuthContext("guest_1", is_guest=True),
    "alice": AuthContext("alice"),
    "bob": AuthContext("bob"),
    "ed": AuthContext("ed", roles=("editor",), tenant_id="acme"),
    "admin": ADMIN,
}

OWNED = "auth.userId == data.ownerId"
SIGNED_IN = "auth.userId != null"


def optional(name: str, type_: str = "string", **members: Any) -> Document:
    return field(name, type_, optional=True, **members)


def rules(entity_name: str, **expressions: str) -> Document:
    return {"name": f"{entity_name.lower()}_rules", "entity": entity_name, **expressions}


NOTES = app(
    entities=[
        entity(
            "Note",
            fields=[
                optional("ownerId"),
                field("title"),
                optional("done", "bool"),
                optional("rank", "int"),
                optional("slug", unique=True),
            ],
        ),
        entity("Open", fields=[field("title"), optional("done", "bool")]),
        entity("Locked"),
        entity("Post", fields=[field("title"), optional("published", "bool")]),
        entity("Drop", fields=[field("title"), optional("ownerId")]),
        entity("Todo", fields=[field("title"), optional("done", "bool"), optional("updated", "string")]),
        entity(
            "User",
            fields=[
                field("email", unique=True),
                optional("passwordHash"),
                optional("_flags"),
                optional("phone"),
            ],
        ),
    ],
    policies=[
        rules("Note", allow=OWNED),
        rules("Open", allow="true"),
        rules("Locked", allow="false"),
        rules("Post", allowRead="data.published == true", allowWrite=SIGNED_IN),
        rules("Drop", allowRead="false", allowWrite=SIGNED_IN),
        rules("Todo", allow="true"),
        rules("User", allow="true"),
    ],
    auth={"user": {"entity": "User", "hide": ["phone"]}},
)
"""Entities named for their rules: owned, open to all, locked, published or not, write-only; and users."""


class Answer(msgspec.Struct, frozen=True):
    """A response as a test reads it; ``code`` is the error's, ``None`` without one."""

    status: int
    json: Any
    headers: dict[str, str]

    @property
    def code(self) -> str | None:
        return self.json["error"]["code"] if isinstance(self.json, dict) and "error" in self.json else None


class DataApi:
    """``engine`` is a name of ``ENGINES``; by default the one that the run is about, usually SQLite."""

    def __init__(
        self,
        document: Document = NOTES,
        *,
        dev_mode: bool = False,
        clock: Clock | None = None,
        engine: str | None = None,
        store_clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.manifest: AppManifest = parse_manifest(jsontext.encode(document))
        self.policies = PolicyEngine(self.manifest, default_allow=dev_mode)
        watched = watched_fields(self.manifest, self.policies)
        self.store = ENGINES[engine or engine_of_tests()](self.manifest, watched, store_clock or SystemClock())
        backend = SqlSessionBackend(self.store.tables)
        self.ctx = RouterContext(
            manifest=self.manifest,
            store=self.store,
            policies=self.policies,
            sessions=SessionStore(backend, clock, secrets.token_bytes),
            cookie=CookieConfig("notes_session"),
            clock=clock,
            dev_mode=dev_mode,
        )

    def reconfigure(self, **members: Any) -> None:
        """Give the context other members."""
        self.ctx = replace(self.ctx, **members)

    def send(self, method: str, url: str, as_user: str = "alice", body: Any = None, **caller: Any) -> Answer:
        """``body`` goes out as JSON unless it is bytes already; ``caller`` are further members of ``Caller``."""
        sent = body if isinstance(body, bytes) else b"" if body is None else jsontext.encode(body)
        who = caller.pop("auth", None) or IDENTITIES[as_user]
        return answer(route(self.ctx, method, url, sent, Caller(who, **caller)))

    def add(self, entity_name: str, row_id: str | None = None, /, **data: Any) -> Row:
        """Store a row past every policy."""
        return self.store.transact(lambda tx: tx.insert(entity_name, data, row_id))

    def log(self) -> Sequence[ChangeEvent]:
        return self.store.changes(0, 10_000).events

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Asserts that the body wrote nothing: no row, no log entry."""
        before = self.store.head()
        yield
        assert self.store.head() == before


def answer(response: Response) -> Answer:
    body = jsontext.decode(response.body) if response.body else None
    return Answer(response.status, body, dict(response.headers))


def watched_fields(manifest: AppManifest, policies: PolicyEngine) -> dict[str, frozenset[str]]:
    return {entity.name: policies.read_fields(entity.name) for entity in manifest.entities}
