"""``POST /api/search/<entity>``: who finds what, and what is refused (contract 01 §14)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.strategies.documents import app, entity, field
from tests.support.data_api import OWNED, DataApi, optional, rules

SEARCH = {"text": ["title"], "facets": ["brand"], "sortable": ["price"]}
FIELDS = [field("title"), optional("brand"), optional("price", "float"), optional("ownerId"), optional("_notes")]
DOCUMENT = app(
    entities=[
        entity("Open", fields=FIELDS, search=SEARCH),
        entity("Owned", fields=FIELDS, search=SEARCH),
        entity("Locked", fields=FIELDS, search=SEARCH),
        entity("Plain", fields=FIELDS),
    ],
    policies=[
        rules("Open", allow="true"),
        rules("Owned", allow=OWNED),
        rules("Locked", allow="false"),
        rules("Plain", allow="true"),
    ],
)
ROWS = [
    {"title": "red shoes", "brand": "Atlas", "price": 2.0, "ownerId": "alice", "_notes": "hidden"},
    {"title": "red hat", "brand": "Bolt", "price": 1.0, "ownerId": "bob", "_notes": "hidden"},
    {"title": "blue hat", "brand": "Bolt", "price": 3.0, "ownerId": "bob", "_notes": "hidden"},
]


@pytest.fixture
def shop() -> Iterator[DataApi]:
    opened = DataApi(DOCUMENT)
    for name in ("Open", "Owned", "Locked"):
        for number, row in enumerate(ROWS):
            opened.add(name, f"r{number}", **row)
    yield opened
    opened.store.close()


def test_an_answer_has_hits_counts_total_and_time(shop: DataApi) -> None:
    body = {"query": "red", "facets": ["brand"], "sort": ["price", "asc"], "page": 0, "page_size": 1}

    found = shop.send("POST", "/api/search/Open", body=body)

    assert found.status == 200
    assert sorted(found.json) == ["facetCounts", "hits", "tookMs", "total"]
    assert [hit["title"] for hit in found.json["hits"]] == ["red hat"]
    assert found.json["total"] == 2
    assert found.json["facetCounts"] == {"brand": {"Atlas": 1, "Bolt": 1}}
    assert isinstance(found.json["tookMs"], int)


def test_an_empty_search_finds_every_row_and_sums_to_the_total(shop: DataApi) -> None:
    found = shop.send("POST", "/api/search/Open", body={}).json

    assert found["total"] == sum(found["facetCounts"]["brand"].values()) == 3


@pytest.mark.parametrize(
    ("as_user", "titles", "counts"),
    [
        ("alice", {"red shoes"}, {"brand": {"Atlas": 1}}),
        ("bob", {"red hat", "blue hat"}, {"brand": {"Bolt": 2}}),
        ("guest", set(), {}),
        ("admin", {"red shoes", "red hat", "blue hat"}, {"brand": {"Bolt": 2, "Atlas": 1}}),
    ],
)
def test_nothing_is_found_or_counted_that_may_not_be_read(
    shop: DataApi, as_user: str, titles: set[str], counts: dict[str, Any]
) -> None:
    found = shop.send("POST", "/api/search/Owned", as_user, {"query": ""}).json

    assert {hit["title"] for hit in found["hits"]} == titles
    assert found["total"] == len(titles)
    assert found["facetCounts"] == counts
    assert (
        shop.send("POST", "/api/search/Owned", as_user, {"filters": {"brand": "Zed"}}).json["facetCounts"]
        == counts
    )


def test_pages_of_one_s_own_rows_are_full(shop: DataApi) -> None:
    for page in (0, 1):
        found = shop.send("POST", "/api/search/Owned", "bob", {"page": page, "pageSize": 1}).json
        assert (len(found["hits"]), found["total"]) == (1, 2)


@pytest.mark.parametrize("as_user", ["alice", "admin"])
def test_secret_fields_do_not_come_with_the_hits(shop: DataApi, as_user: str) -> None:
    found = shop.send("POST", "/api/search/Open", as_user, {})

    assert all("_notes" not in hit for hit in found.json["hits"])


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "code"),
    [
        ("POST", "/api/search", {}, 400, "MISSING_ENTITY"),
        ("POST", "/api/search/", {}, 400, "MISSING_ENTITY"),
        ("GET", "/api/search/", None, 400, "MISSING_ENTITY"),
        ("GET", "/api/search/Open", None, 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "/api/search/Nope", b"{", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/api/search/Nope", b"{", 400, "INVALID_JSON"),
        ("POST", "/api/search/Open", b"", 400, "INVALID_JSON"),
        ("POST", "/api/search/Nope", {"query": 5}, 404, "ENTITY_NOT_FOUND"),
        ("POST", "/api/search/Locked", {"query": 5}, 403, "POLICY_DENIED"),
        ("POST", "/api/search/Open", {"query": 5}, 400, "INVALID_QUERY"),
        ("POST", "/api/search/Open", [], 400, "INVALID_QUERY"),
        ("POST", "/api/search/Open", {"filters": {"ownerId": "alice"}}, 400, "INVALID_QUERY"),
        ("POST", "/api/search/Open", {"filters": {"_notes": "hidden"}}, 400, "INVALID_QUERY"),
        ("POST", "/api/search/Open", {"sort": ["title", "asc"]}, 400, "INVALID_QUERY"),
        ("POST", "/api/search/Plain", {}, 400, "SEARCH_NOT_CONFIGURED"),
    ],
)
def test_a_search_is_refused(shop: DataApi, method: str, url: str, body: Any, status: int, code: str) -> None:
    refused = shop.send(method, url, body=body)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    "text", ['"', "red-", "it's", "a@b", "NEAR(", "* OR *", "'; DROP TABLE Open; --", "\0", "🎉"]
)
def test_whatever_somebody_types_is_answered(shop: DataApi, text: str) -> None:
    assert shop.send("POST", "/api/search/Open", body={"query": text}).status == 200
    assert shop.send("POST", "/api/query/Open", body={"$search": text}).status == 200


def test_a_list_takes_a_search_and_shows_only_what_may_be_read(shop: DataApi) -> None:
    found = shop.send("POST", "/api/query/Owned", "bob", {"$search": "red"})

    assert [row["title"] for row in found.json] == ["red hat"]
