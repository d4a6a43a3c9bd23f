"""Visits to the routes that write rows, links and pushes among them."""

from collections.abc import Iterator
from typing import Any

from tests.support.policy_world import MARK
from tests.support.visits.visit import (
    ABSENT,
    BAD,
    CREATED,
    DENIED,
    NOT_ALLOWED,
    OK,
    UNAUTHORIZED,
    Seen,
    Visit,
    everyone,
    post,
    seen,
)

CREATES = {
    "Note": {"title": "new", "ownerId": "alice"},
    "Doc": {"title": "new", "tenantId": "acme"},
    "Report": {"title": "new", "orgId": "acme"},
    "Vault": {"title": "new"},
    "Drop": {"title": "new", "ownerId": "alice"},
    "User": {"email": "new@example.com"},
}

NO_EDITS = "6c6f726f000000000000000000000000587c7be20004"
"""An update of Loro's that has none in it."""


def writes() -> Iterator[Visit]:
    owner_only = everyone(DENIED, owner=CREATED, admin=CREATED)
    create = {
        "Note": owner_only,
        "Doc": owner_only,
        "Report": everyone(DENIED, admin=CREATED),
        "Vault": everyone(DENIED, admin=CREATED),
        "Drop": owner_only,
        "User": everyone(DENIED, admin=CREATED),
    }
    for entity, data in CREATES.items():
        yield post("/api/entities/<entity>", f"/api/entities/{entity}", data, create[entity])
    stamped = everyone(DENIED, owner=CREATED, other_tenant=CREATED, admin=CREATED)
    yield post("/api/entities/<entity>", "/api/entities/Doc", {"title": "new"}, stamped)
    taken = {"title": "new", "ownerId": "alice", "slug": "slug-bob"}
    conflict = everyone(DENIED, owner=seen(status=409), admin=seen(status=409))
    yield post("/api/entities/<entity>", "/api/entities/Note", taken, conflict)
    yield post("/api/entities/<entity>", "/api/entities/Note", {"title": "new"}, everyone(DENIED, admin=CREATED))

    row = "/api/entities/<entity>/<id>"
    mine = everyone(DENIED, owner=seen("note-alice"), admin=seen("note-alice"))
    foreign = everyone(DENIED, admin=seen("note-bob"))
    yield Visit("PATCH", row, "/api/entities/Note/n-alice", mine, {"rank": 5})
    yield Visit("PATCH", row, "/api/entities/Note/n-bob", foreign, {"rank": 5})
    yield Visit("PATCH", row, "/api/entities/Note/n-bob", foreign, {"ownerId": "alice"})
    yield Visit(
        "PATCH", row, "/api/entities/Note/n-alice", everyone(DENIED, admin=seen("note-alice")), {"ownerId": "bob"}
    )
    yield Visit("PATCH", row, "/api/entities/Note/n-gone", everyone(DENIED, admin=ABSENT), {"rank": 5})
    secret = everyone(DENIED, owner=BAD, admin=seen("note-alice"))
    yield Visit("PATCH", row, "/api/entities/Note/n-alice", secret, {"_draft": "x"})
    yield Visit(
        "PATCH",
        row,
        "/api/entities/Doc/d-acme",
        everyone(DENIED, owner=seen("doc-acme"), admin=seen("doc-acme")),
        {"title": f"{MARK}doc-acme"},
    )
    yield Visit(
        "PATCH", row, "/api/entities/Doc/d-acme", everyone(DENIED, admin=seen("doc-acme")), {"tenantId": "zeta"}
    )
    yield Visit(
        "PATCH", row, "/api/entities/Doc/d-none", everyone(DENIED, admin=seen("doc-none")), {"tenantId": "acme"}
    )
    yield Visit(
        "PATCH",
        row,
        "/api/entities/Drop/x-alice",
        everyone(DENIED, owner=OK, admin=seen("drop-alice")),
        {"ownerId": "alice"},
    )
    yield Visit(
        "PATCH",
        row,
        "/api/entities/User/alice",
        everyone(DENIED, owner=seen("email-alice"), admin=seen("email-alice")),
        {"email": f"{MARK}email-alice"},
    )

    def delete(path: str, sees: dict[str, Seen]) -> Visit:
        return Visit("DELETE", row, f"/api/entities/{path}", sees)

    owners = everyone(DENIED, owner=OK, admin=OK)
    yield delete("Note/n-alice", owners)
    yield delete("Note/n-bob", everyone(DENIED, admin=OK))
    yield delete("Note/n-gone", everyone(DENIED, admin=ABSENT))
    yield delete("Doc/d-acme", owners)
    yield delete("Doc/d-none", everyone(DENIED, admin=OK))
    yield delete("Drop/x-alice", owners)
    for path in ("/api/entities/Note", "/api/entities/Note/n-alice"):
        pattern = row if path.endswith("alice") else "/api/entities/<entity>"
        yield Visit("PUT", pattern, path, everyone(NOT_ALLOWED), {})


def links() -> Iterator[Visit]:
    def link(what: str, sees: dict[str, Seen], **members: str) -> Visit:
        return post(f"/api/{what}", f"/api/{what}", members, sees)

    comment = {"entity": "Comment", "id": "c-alice", "relation": "note"}
    owners = everyone(DENIED, owner=OK, admin=OK)
    to_alice = everyone(ABSENT, owner=OK, admin=OK)
    yield link("link", to_alice, **comment, target_id="n-alice")
    yield link("link", everyone(ABSENT, admin=OK), **comment, target_id="n-bob")
    yield link("link", everyone(ABSENT), **comment, target_id="n-gone")
    many = {"entity": "Note", "id": "n-alice", "relation": "comments"}
    yield link("link", everyone(DENIED, owner=ABSENT, admin=OK), **many, target_id="c-bob")
    yield link("link", everyone(DENIED, owner=ABSENT, admin=ABSENT), **many, target_id="c-gone")
    yield link("link", everyone(DENIED, owner=DENIED, admin=OK), **many, target_id="c-open")
    yield link("unlink", owners, **comment)
    yield link("unlink", everyone(DENIED, admin=OK), entity="Comment", id="c-bob", relation="note")
    yield link("unlink", everyone(DENIED, admin=OK), entity="Comment", id="c-open", relation="note")


def pushes() -> Iterator[Visit]:
    """A refused change is told in the results; the request succeeds for whoever has a session."""

    def pushing(change: dict[str, Any]) -> Visit:
        return post("/api/sync/push", "/api/sync/push", {"changes": [change]}, everyone(OK, anonymous=DENIED))

    for row_id in ("n-alice", "n-bob", "n-gone"):
        yield pushing({"entity": "Note", "row_id": row_id, "kind": "update", "data": {"rank": 7}})
        yield pushing({"entity": "Note", "row_id": row_id, "kind": "delete"})
        yield pushing({"entity": "Note", "row_id": row_id, "kind": "insert", "data": CREATES["Note"]})
    yield pushing({"entity": "User", "row_id": "alice", "kind": "update", "data": {"passwordHash": "x"}})


def documents() -> Iterator[Visit]:
    """An update that has nothing new is an update all the same."""
    pattern = "/api/crdt/<entity>/<row_id...>"

    def edit(row: str, sees: dict[str, Seen], update: Any = NO_EDITS) -> Visit:
        return post(pattern, f"/api/crdt/{row}", {"update": update}, sees)

    def signed_in(what: Seen, **others: Seen) -> dict[str, Seen]:
        return everyone(what, anonymous=UNAUTHORIZED, **others)

    owners = signed_in(DENIED, owner=OK, admin=OK)
    yield edit("Note/n-alice", owners)
    yield edit("Note/n-bob", signed_in(DENIED, admin=OK))
    yield edit("Note/n-gone", signed_in(DENIED, admin=ABSENT))
    yield edit("Note/n-alice", signed_in(DENIED, owner=BAD, admin=BAD), "00")
    yield edit("Note/n-alice", signed_in(BAD), "0")
    yield edit("Doc/d-acme", owners)
    yield edit("Doc/d-none", signed_in(DENIED, admin=OK))
    yield edit("Vault/v1", signed_in(DENIED, admin=OK))
    yield edit("Drop/x-alice", owners)
    yield edit("Nope/x", signed_in(ABSENT))
    yield post("/api/crdt/<rest...>", "/api/crdt/Note", {}, signed_in(BAD))


WRITING = [*writes(), *links(), *pushes(), *documents()]
