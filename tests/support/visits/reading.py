"""Visits to the routes that read rows."""

from collections.abc import Iterator
from typing import Any

from tests.support.policy_world import HIDDEN_NUMBER, PEOPLE, SECRET
from tests.support.visits.visit import (
    ABSENT,
    ALL_MARKS,
    BAD,
    DENIED,
    OK,
    READS,
    Seen,
    Visit,
    everyone,
    get,
    post,
    seen,
    whole,
)


def lists() -> Iterator[Visit]:
    for entity, sees in READS.items():
        for query in ("", "?limit=5&offset=0&total=1"):
            yield get("/api/entities/<entity>", f"/api/entities/{entity}{query}", sees)
        yield get("/api/entities/<entity>/cursor", f"/api/entities/{entity}/cursor?limit=100", sees)
        for document in ({}, {"$order": {"id": "desc"}, "$limit": 100}, {"id": {"$exists": True}}):
            yield post("/api/query/<entity>", f"/api/query/{entity}", document, sees)
        yield post("/api/query", "/api/query", {entity: {}}, sees)
    for entity in ("Note", "Post"):
        for query in ("", "mark"):
            yield post("/api/search/<entity>", f"/api/search/{entity}", {"query": query}, READS[entity])
    yield post("/api/search/<entity>", "/api/search/Vault", {"query": ""}, READS["Vault"])
    yield post("/api/query/<entity>", "/api/query/Note", {"$search": "mark"}, READS["Note"])
    nowhere = everyone(ABSENT)
    for method, pattern, url in (
        ("GET", "/api/entities/<entity>", "/api/entities/Nope"),
        ("GET", "/api/entities/<entity>/cursor", "/api/entities/Nope/cursor"),
        ("POST", "/api/query/<entity>", "/api/query/Nope"),
        ("POST", "/api/search/<entity>", "/api/search/Nope"),
        ("POST", "/api/aggregate/<entity>", "/api/aggregate/Nope"),
        ("GET", "/api/lookup/<entity>/<field>/<value...>", "/api/lookup/Nope/id/x"),
    ):
        yield Visit(method, pattern, url, nowhere, None if method == "GET" else {"count": "*"})


def single_rows() -> Iterator[Visit]:
    rows = {
        "/Note/n-alice": everyone(DENIED, owner=seen("note-alice"), admin=seen("note-alice")),
        "/Note/n-bob": everyone(DENIED, admin=seen("note-bob")),
        "/Note/n-none": everyone(DENIED, admin=seen("note-nobody")),
        "/Note/n-gone": everyone(DENIED, admin=ABSENT),
        "/Comment/c-open": everyone(seen("comment-open")),
        "/Comment/c-bob": everyone(DENIED, admin=seen("comment-bob")),
        "/Doc/d-acme": everyone(DENIED, owner=seen("doc-acme"), admin=seen("doc-acme")),
        "/Doc/d-none": everyone(DENIED, admin=seen("doc-none")),
        "/Post/p-live": everyone(seen("post-live")),
        "/Post/p-bob": everyone(DENIED, admin=seen("post-bob")),
        "/Vault/v1": everyone(DENIED, admin=seen("vault")),
        "/Drop/x-alice": everyone(DENIED, admin=seen("drop-alice")),
        "/User/alice": everyone(seen("email-alice"), anonymous=DENIED),
        "/User/gone": everyone(ABSENT, anonymous=DENIED),
    }
    for path, sees in rows.items():
        entity, row_id = path[1:].split("/")
        yield get("/api/entities/<entity>/<id>", f"/api/entities{path}", sees)
        yield get("/api/lookup/<entity>/<field>/<value...>", f"/api/lookup/{entity}/id/{row_id}", sees)
    lookup = "/api/lookup/<entity>/<field>/<value...>"
    yield get(lookup, "/api/lookup/Note/slug/slug-bob", everyone(DENIED, admin=seen("note-bob")))
    yield get(lookup, "/api/lookup/Note/rank/2", everyone(DENIED, admin=seen("note-bob")))
    yield get(lookup, f"/api/lookup/User/passwordHash/{SECRET}hash-bob", secret_field("User", seen("email-bob")))
    yield get(lookup, f"/api/lookup/User/_score/{HIDDEN_NUMBER}", secret_field("User", seen("email-alice")))


def secret_field(entity: str, admin: Seen) -> dict[str, Seen]:
    """Asking about one: as about a field that does not exist, if one may ask at all."""
    return {
        name: admin if name == "admin" else DENIED if sees == DENIED else BAD
        for name, sees in READS[entity].items()
    }


FILTERS_ON_SECRETS: list[tuple[dict[str, Any], Seen]] = [
    ({"passwordHash": f"{SECRET}hash-bob"}, seen("email-bob")),
    ({"passwordHash": {"$like": SECRET}}, whole("User")),
    ({"$or": [{"_flags": {"$exists": True}}]}, whole("User")),
    ({"$order": {"phone": "asc"}}, whole("User")),
]
"""And what the administrator gets."""

AGGREGATES_OF_SECRETS: list[tuple[dict[str, Any], Seen]] = [
    ({"count": "passwordHash"}, OK),
    ({"countDistinct": ["_flags"]}, OK),
    ({"count": "*", "where": {"passwordHash": f"{SECRET}hash-bob"}}, OK),
    ({"max": ["passwordHash"]}, BAD),
    ({"sum": ["_score"]}, BAD),
    ({"count": "*", "groupBy": ["phone"]}, BAD),
]

SEARCHES_FOR_SECRETS: list[tuple[dict[str, Any], dict[str, Seen]]] = [
    ({"facets": ["_draft"]}, READS["Note"]),  # as with one that is not there
    ({"filters": {"_draft": "x"}}, everyone(BAD, anonymous=DENIED)),
    ({"sort": ["_draft", "asc"]}, everyone(BAD, anonymous=DENIED)),
]


def oracles() -> Iterator[Visit]:
    for document, admin in FILTERS_ON_SECRETS:
        sees = secret_field("User", admin)
        yield post("/api/query/<entity>", "/api/query/User", document, sees)
        yield post("/api/query", "/api/query", {"User": {"where": document}}, sees)
    for document, admin in AGGREGATES_OF_SECRETS:
        yield post("/api/aggregate/<entity>", "/api/aggregate/User", document, secret_field("User", admin))
    for document, sees in SEARCHES_FOR_SECRETS:
        yield post("/api/search/<entity>", "/api/search/Note", document, sees)


def aggregates() -> Iterator[Visit]:
    for entity, sees in READS.items():
        allowed = {name: Seen(shown.status) for name, shown in sees.items()}
        yield post("/api/aggregate/<entity>", f"/api/aggregate/{entity}", {"count": "*"}, allowed)
        text = {"Comment": "text", "User": "email"}.get(entity, "title")
        yield post(
            "/api/aggregate/<entity>",
            f"/api/aggregate/{entity}",
            {"count": "*", "groupBy": [text]},
            {name: tenants_own(name, shown) if entity == "Report" else shown for name, shown in sees.items()},
        )


def tenants_own(name: str, shown: Seen) -> Seen:
    """An aggregate over ``orgId`` is one of the caller's tenant."""
    return shown if PEOPLE[name].tenant_id is None else Seen(shown.status, shown.marks - {"report-open"})


def graphs() -> Iterator[Visit]:
    def graph(selection: dict[str, Any], sees: dict[str, Seen]) -> Visit:
        return post("/api/query", "/api/query", selection, sees)

    yield graph(
        {"Note": {"include": {"owner": {}, "comments": {}, "vault": {}}}},
        everyone(
            OK,
            anonymous=DENIED,
            owner=seen("note-alice", "email-alice", "comment-open"),
            admin=seen(*ALL_MARKS["Note"], *ALL_MARKS["Comment"], *ALL_MARKS["User"], "vault"),
        ),
    )
    yield graph(
        {"Comment": {"include": {"note": {}}}},
        everyone(
            seen("comment-open"),
            owner=seen("comment-open", "comment-alice", "note-alice"),
            admin=seen(*ALL_MARKS["Comment"], "note-alice", "note-bob"),
        ),
    )
    yield graph(
        {"User": {"include": {"notes": {}}}},
        everyone(
            whole("User"),
            anonymous=DENIED,
            owner=seen(*ALL_MARKS["User"], "note-alice"),
            admin=seen(*ALL_MARKS["User"], "note-alice", "note-bob"),
        ),
    )


READING = [*lists(), *single_rows(), *oracles(), *aggregates(), *graphs()]
