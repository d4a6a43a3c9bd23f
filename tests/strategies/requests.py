"""Requests to the app of ``tests.support.policy_world``, of every kind a client can make, about rows of which some
exist, some are hidden and some are neither."""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from hypothesis import strategies as st


class Asked(NamedTuple):
    method: str
    url: str
    body: Any = None


WORDS = ["red", "green apple", "red apple", "blue", "apple apple red", "red red apple", "green"]
INSTANTS = ["2026-05-02T12:00:00Z", "2026-05-02T12:00:00.250Z", "2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z"]
OWNERS = ["alice", "bob", "carl", "guest_1"]
TENANTS = ["acme", "zeta", "open"]
FIELDS: dict[str, dict[str, list[Any]]] = {
    "User": {"email": ["alice@example.com", "bob@example.com", "new@example.com"]},
    "Note": {
        "ownerId": OWNERS,
        "title": WORDS,
        "body": WORDS,
        "rank": [0, 1, 2, 3],
        "at": INSTANTS,
        "done": [True, False],
        "vaultId": ["v0", "v1", "v2"],
    },
    "Comment": {"noteId": ["n0", "n1", "n6", "n7"], "ownerId": OWNERS, "text": WORDS, "public": [True, False]},
    "Doc": {"title": WORDS, "tenantId": TENANTS},
    "Report": {"title": WORDS, "orgId": TENANTS, "size": [1, 2, 300]},
    "Post": {"title": WORDS, "ownerId": OWNERS, "published": [True, False]},
    "Vault": {"title": WORDS, "noteId": ["n0", "n6"]},
    "Drop": {"title": WORDS, "ownerId": OWNERS, "noteId": ["n0", "n6", "n7"]},
}
"""The fields that are no secrets, with values that rows have and filters ask for."""
SECRETS: dict[str, dict[str, list[Any]]] = {
    "User": {
        "passwordHash": ["hash", "other"],
        "_flags": ["f", "g"],
        "phone": ["555", "556"],
        "_score": [1, 2],
    },
    "Note": {"_draft": ["red", "x"]},
}
RELATIONS = {
    "User": ["notes"],
    "Note": ["owner", "comments", "vault"],
    "Comment": ["note"],
    "Drop": ["note"],
}
TARGETS = {"notes": "Note", "owner": "User", "comments": "Comment", "vault": "Vault", "note": "Note"}
PREFIXES = {
    "User": "u",
    "Note": "n",
    "Comment": "c",
    "Doc": "d",
    "Report": "r",
    "Post": "p",
    "Vault": "v",
    "Drop": "x",
}

entities = st.sampled_from([*FIELDS, "User", "Note", "Note", "Comment", "Drop"])


def row_ids(entity: str) -> st.SearchStrategy[str]:
    """Of rows that may be Alice's (below 4), of rows that may be there and hidden (5 to 8), of none."""
    if entity == "User":
        return st.sampled_from(OWNERS)
    return st.sampled_from([0, 0, 1, 1, 2, 3, 5, 5, 6, 6, 7, 8, 11]).map(
        lambda number: f"{PREFIXES[entity]}{number}"
    )


def fields_of(entity: str) -> list[str]:
    return [*["id", *FIELDS[entity]] * 2, *SECRETS.get(entity, {}), "nope"]


def value_of(entity: str, name: str) -> st.SearchStrategy[Any]:
    known = {**FIELDS[entity], **SECRETS.get(entity, {})}.get(name)
    return row_ids(entity) if known is None else st.sampled_from(known)


@st.composite
def constraints(draw: st.DrawFn, entity: str) -> dict[str, Any]:
    """One member of a filter."""
    name = draw(st.sampled_from(fields_of(entity)))
    value = draw(value_of(entity, name))
    match draw(st.sampled_from(["is", "not", "order", "like", "in", "exists"])):
        case "is":
            return {name: value}
        case "not":
            return {name: {"$not": value}}
        case "order":
            return {name: {draw(st.sampled_from(["$gt", "$gte", "$lt", "$lte"])): value}}
        case "like":
            return {name: {"$like": str(value)[:3]}}
        case "in":
            return {name: {"$in": [value, draw(value_of(entity, name))]}}
    return {name: {"$exists": draw(st.booleans())}}


@st.composite
def wheres(draw: st.DrawFn, entity: str) -> dict[str, Any]:
    where: dict[str, Any] = {}
    for part in draw(st.lists(constraints(entity), max_size=2)):
        where |= part
    if draw(st.integers(0, 3)) == 0:
        where["$or"] = draw(st.lists(constraints(entity), min_size=1, max_size=3))
    if draw(st.integers(0, 4)) == 0:
        where["$search"] = draw(st.sampled_from(WORDS))
    return where


@st.composite
def filters(draw: st.DrawFn, entity: str) -> dict[str, Any]:
    document: dict[str, Any] = draw(wheres(entity))
    if "$search" in document or draw(st.booleans()):  # by relevance: see the test of that in test_policy_oracle
        name = draw(st.sampled_from(fields_of(entity)))
        document["$order"] = {name: draw(st.sampled_from(["asc", "desc"]))}
    if draw(st.booleans()):
        document["$limit"] = draw(st.integers(0, 4))
        document["$offset"] = draw(st.integers(0, 2))
    return document


ALICES: dict[str, Any] = {"ownerId": "alice", "tenantId": "acme", "title": "red", "text": "red"}
"""What makes a write one that Alice may do."""


@st.composite
def payloads(draw: st.DrawFn, entity: str) -> dict[str, Any]:
    if draw(st.integers(0, 2)):
        free = draw(st.lists(st.sampled_from(list(FIELDS[entity])), max_size=3))
        values = {name: draw(value_of(entity, name)) for name in free}
        return {**values, **{name: value for name, value in ALICES.items() if name in FIELDS[entity]}}
    names = draw(st.lists(st.sampled_from([*FIELDS[entity], *SECRETS.get(entity, {}), "nope"]), max_size=4))
    if draw(st.booleans()):
        names = [name for name in names if name in FIELDS[entity]]
    return {name: draw(value_of(entity, name)) for name in names}


# One strategy for each kind of request.


@st.composite
def lists(draw: st.DrawFn) -> Asked:
    query = draw(st.sampled_from(["", "?limit=2", "?limit=3&offset=1", "?total=1", "?limit=1&total=1"]))
    return Asked("GET", f"/api/entities/{draw(entities)}{query}")


@st.composite
def pages(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked(
        "GET", f"/api/entities/{entity}/cursor?limit={draw(st.integers(1, 3))}&after={draw(row_ids(entity))}"
    )


@st.composite
def single_rows(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked("GET", f"/api/entities/{entity}/{draw(row_ids(entity))}")


@st.composite
def lookups(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    name = draw(st.sampled_from(fields_of(entity)))
    return Asked("GET", f"/api/lookup/{entity}/{name}/{quote(str(draw(value_of(entity, name))))}")


@st.composite
def queries(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked("POST", f"/api/query/{entity}", draw(filters(entity)))


@st.composite
def aggregations(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    names = st.sampled_from(fields_of(entity))
    document: dict[str, Any] = {"count": draw(st.sampled_from(["*", "*", *FIELDS[entity]]))}
    for member in ("sum", "avg", "min", "max", "countDistinct"):
        if draw(st.integers(0, 4)) == 0:
            document[member] = [draw(names)]
    if draw(st.booleans()):
        group: Any = draw(names)
        document["groupBy"] = [{"field": group, "bucket": "month"} if group == "at" else group]
    if draw(st.booleans()):
        document["where"] = draw(wheres(entity))
    return Asked("POST", f"/api/aggregate/{entity}", document)


@st.composite
def selections(draw: st.DrawFn, entity: str, depth: int) -> dict[str, Any]:
    selection: dict[str, Any] = {}
    if draw(st.booleans()):
        where = draw(filters(entity))
        where.pop("$offset", None)
        selection["where"] = where
    if draw(st.integers(0, 3)) == 0:
        selection["limit"] = draw(st.integers(0, 2))
    names = RELATIONS.get(entity, [])
    if depth and names:
        chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
        selection["include"] = {name: draw(selections(TARGETS[name], depth - 1)) for name in chosen}
    return selection


@st.composite
def graphs(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked("POST", "/api/query", {entity: draw(selections(entity, 2))})


@st.composite
def searches(draw: st.DrawFn) -> Asked:
    entity = draw(st.sampled_from(["Note", "Note", "Note", "Post", "Post", "Vault", "Comment"]))
    facets, sorts = ("done", "rank"), ["rank", "at"]
    if entity == "Post":
        facets, sorts = ("published", "published"), ["published"]
    document: dict[str, Any] = {"query": draw(st.sampled_from(["", *WORDS, "app", "-red apple", '"green apple"']))}
    if draw(st.booleans()):
        name = draw(st.sampled_from([*facets * 3, "_draft"]))
        document["filters"] = {name: draw(st.sampled_from([1, 2] if name == "rank" else [True, False]))}
    if document["query"] or draw(st.booleans()):  # by relevance: see the test of that in test_policy_oracle
        document["sort"] = [draw(st.sampled_from([*sorts * 3, "title"])), "desc"]
    document["page_size"] = draw(st.integers(1, 5))
    document["page"] = draw(st.integers(0, 1))
    return Asked("POST", f"/api/search/{entity}", document)


@st.composite
def creates(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked("POST", f"/api/entities/{entity}", draw(payloads(entity)))


@st.composite
def updates(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked("PATCH", f"/api/entities/{entity}/{draw(row_ids(entity))}", draw(payloads(entity)))


@st.composite
def deletes(draw: st.DrawFn) -> Asked:
    entity = draw(entities)
    return Asked("DELETE", f"/api/entities/{entity}/{draw(row_ids(entity))}")


@st.composite
def links(draw: st.DrawFn) -> Asked:
    entity = draw(st.sampled_from(list(RELATIONS)))
    name = draw(st.sampled_from(RELATIONS[entity]))
    document = {"entity": entity, "id": draw(row_ids(entity)), "relation": name}
    if draw(st.integers(0, 3)):
        document["target_id"] = draw(row_ids(TARGETS[name]))
    return Asked("POST", draw(st.sampled_from(["/api/link", "/api/unlink"])), document)


@st.composite
def pushes(draw: st.DrawFn) -> Asked:
    changes = []
    for number in range(draw(st.integers(1, 2))):
        entity = draw(entities)
        kind = draw(st.sampled_from(["insert", "update", "delete"]))
        # a hidden row's own id is told as taken, and has a test of its own
        row_id = f"new{number}" if kind == "insert" else draw(row_ids(entity))
        change: dict[str, Any] = {"entity": entity, "row_id": row_id, "kind": kind}
        if kind != "delete":
            change["data"] = draw(payloads(entity))
        if draw(st.booleans()):
            change["op_id"] = f"op{number}"
        changes.append(change)
    return Asked("POST", "/api/sync/push", {"changes": changes})


others = st.sampled_from(
    [
        Asked("GET", "/api/sync/pull?since=0"),
        Asked("GET", "/api/sync/pull?since=1000000"),
        Asked("GET", "/api/export"),
        Asked("GET", "/api/export/Note"),
        Asked("POST", "/api/import", {"entities": {"Note": []}}),
        Asked("POST", "/api/batch", {"operations": []}),
        Asked("POST", "/api/transact", []),
        Asked("POST", "/api/admin/users/bob/export"),
        Asked("GET", "/api/admin/ops/search_indexes"),
        Asked("GET", "/api/auth/session"),
        Asked("GET", "/api/manifest"),
        Asked("GET", "/api/openapi.json"),
        Asked("POST", "/api/actions/publish", {"ownerId": "alice"}),
    ]
)

KINDS: dict[str, Callable[[], st.SearchStrategy[Asked]]] = {
    "list": lists,
    "page": pages,
    "row": single_rows,
    "lookup": lookups,
    "query": queries,
    "aggregate": aggregations,
    "graph": graphs,
    "search": searches,
    "create": creates,
    "update": updates,
    "delete": deletes,
    "link": links,
    "push": pushes,
    "other": lambda: others,
}

any_request = st.sampled_from(list(KINDS)).flatmap(lambda kind: KINDS[kind]())
