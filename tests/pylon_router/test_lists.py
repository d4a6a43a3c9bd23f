"""Lists, cursor pages and filtered queries: only readable rows, full pages, never more than the cap."""

import pytest

from pylon_http import Row
from pylon_router.params import ROWS_MAX
from tests.support.data_api import DataApi


def add_notes(api: DataApi, count: int, owner: str = "alice") -> list[str]:
    rows = [{"title": f"{owner} {rank}", "ownerId": owner, "rank": rank} for rank in range(count)]
    return api.store.transact(lambda tx: [tx.insert("Note", row)["id"] for row in rows])


def test_a_bare_list_is_an_array_in_id_order(api: DataApi) -> None:
    ids = add_notes(api, 5)

    listed = api.send("GET", "/api/entities/Note")

    assert [row["id"] for row in listed.json] == ids == sorted(ids)
    assert "X-Pylon-Truncated" not in listed.headers


@pytest.mark.parametrize(
    ("query", "ranks", "limit", "offset"),
    [
        ("limit=2&offset=0", [0, 1], 2, 0),
        ("limit=2", [0, 1], 2, 0),
        ("offset=3", [3, 4], None, 3),
        ("limit=0", [], 0, 0),
        ("offset=9", [], None, 9),
        ("limit=2&offset=x", [0, 1], 2, 0),
        ("limit=5000", [0, 1, 2, 3, 4], 5000, 0),
    ],
)
def test_a_window_turns_the_list_into_an_object(
    api: DataApi, query: str, ranks: list[int], limit: int | None, offset: int
) -> None:
    add_notes(api, 5)

    body = api.send("GET", f"/api/entities/Note?{query}").json

    assert [row["rank"] for row in body["data"]] == ranks
    assert (body["count"], body["limit"], body["offset"]) == (len(ranks), limit, offset)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "/api/entities/Note", None),
        ("GET", f"/api/entities/Note?limit={ROWS_MAX + 1}", None),
        ("GET", "/api/entities/Note?offset=1", None),
        ("POST", "/api/query/Note", {}),
        ("POST", "/api/query/Note", {"$limit": 5000}),
    ],
)
def test_no_list_is_longer_than_the_cap_and_a_cut_is_announced(
    api: DataApi, method: str, url: str, body: object
) -> None:
    add_notes(api, ROWS_MAX + 2)

    cut = api.send(method, url, body=body)

    rows = cut.json["data"] if isinstance(cut.json, dict) else cut.json
    assert len(rows) == ROWS_MAX
    assert cut.headers == {"X-Pylon-Truncated": "true"}


@pytest.mark.parametrize(
    ("query", "count", "limit", "offset"),
    [("total=1", 5, None, 0), ("limit=2&offset=4&total=1", 1, 2, 4), ("limit=0&total=true", 0, 0, 0)],
)
def test_a_total_counts_all_readable_rows_whatever_the_window(
    api: DataApi, query: str, count: int, limit: int | None, offset: int
) -> None:
    add_notes(api, 5)
    add_notes(api, 3, "bob")

    body = api.send("GET", f"/api/entities/Note?{query}").json

    assert (body["total"], body["count"], body["limit"], body["offset"]) == (5, count, limit, offset)
    assert "total" not in api.send("GET", "/api/entities/Note?limit=2&total=0").json


@pytest.mark.parametrize("url", ["/api/entities/Note", f"/api/entities/Note?limit={ROWS_MAX}"])
def test_a_list_that_just_fits_is_not_announced_as_cut(api: DataApi, url: str) -> None:
    add_notes(api, ROWS_MAX)

    assert api.send("GET", url).headers == {}


def test_pages_visit_every_row_once_in_id_order(api: DataApi) -> None:
    ids = add_notes(api, 5)

    visited: list[str] = []
    url = "/api/entities/Note/cursor?limit=2"
    page = api.send("GET", url).json
    assert (len(page["data"]), page["has_more"], page["next_cursor"]) == (2, True, ids[1])
    while page["data"]:
        visited += [row["id"] for row in page["data"]]
        page = api.send("GET", f"{url}&after={page['next_cursor']}").json

    assert visited == ids
    assert page == {"data": [], "has_more": False, "next_cursor": None}


def test_hidden_rows_neither_shorten_pages_nor_end_them(api: DataApi) -> None:
    for _ in range(4):
        add_notes(api, 3, "bob")
        add_notes(api, 1, "alice")

    page = api.send("GET", "/api/entities/Note/cursor?limit=3").json
    last = api.send("GET", f"/api/entities/Note/cursor?limit=3&after={page['next_cursor']}").json

    assert (len(page["data"]), page["has_more"]) == (3, True)
    assert (len(last["data"]), last["has_more"]) == (1, False)


@pytest.mark.parametrize(
    ("as_user", "owners"),
    [
        ("guest", set()),
        ("alice", {"alice"}),
        ("bob", {"bob"}),
        ("admin", {"alice", "bob", None}),
    ],
)
@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/api/entities/Note"),
        ("GET", "/api/entities/Note?limit=50"),
        ("GET", "/api/entities/Note/cursor"),
        ("POST", "/api/query/Note"),
    ],
)
def test_signed_in_callers_list_exactly_what_they_may_read(
    api: DataApi, method: str, url: str, as_user: str, owners: set[str | None]
) -> None:
    add_notes(api, 2, "alice")
    add_notes(api, 2, "bob")
    api.add("Note", title="nobody's")

    listed = api.send(method, url, as_user, {})

    rows: list[Row] = listed.json["data"] if isinstance(listed.json, dict) else listed.json
    assert listed.status == 200
    assert {row["ownerId"] for row in rows} == owners


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "/api/entities/Note"), ("GET", "/api/entities/Note/cursor"), ("POST", "/api/query/Note")],
)
def test_a_caller_whom_no_row_could_belong_to_is_refused(api: DataApi, method: str, url: str) -> None:
    refused = api.send(method, url, "anonymous", {})

    assert (refused.status, refused.code) == (403, "POLICY_DENIED")


@pytest.mark.parametrize(
    ("document", "ranks"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"rank": 3}, [3]),
        ({"rank": {"$gte": 1, "$lt": 3}}, [1, 2]),
        ({"rank": {"$in": []}}, []),
        ({"rank": {"$in": [1, 4, None]}}, [1, 4]),
        ({"rank": {"$not": 0}, "title": {"$like": "alice"}}, [1, 2, 3, 4]),
        ({"$order": {"rank": "desc"}, "$limit": 2, "$offset": 1}, [3, 2]),
        ({"$order": {"rank": "DESC"}, "$limit": 1}, [4]),
        ({"$order": {"rank": "asc; DROP TABLE Note"}, "$limit": 2}, [0, 1]),
        ({"$order": {"rank": ["desc"]}, "$limit": 2}, [0, 1]),
        ({"ownerId": "bob"}, []),
    ],
)
def test_queries_filter_the_readable_rows(api: DataApi, document: object, ranks: list[int]) -> None:
    add_notes(api, 5)
    add_notes(api, 5, "bob")

    assert [row["rank"] for row in api.send("POST", "/api/query/Note", body=document).json] == ranks


def test_a_limited_query_is_filled_up_with_readable_rows(api: DataApi) -> None:
    add_notes(api, 10, "bob")
    add_notes(api, 3)

    assert len(api.send("POST", "/api/query/Note", body={"$limit": 3}).json) == 3


def test_booleans_are_filtered_as_booleans(api: DataApi) -> None:
    for row_id, done in [("t1", True), ("t2", False), ("t3", None)]:
        api.add("Todo", row_id, title="A", done=done)

    found = api.send("POST", "/api/query/Todo", body={"done": False}).json

    assert [(row["id"], row["done"]) for row in found] == [("t2", False)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "INVALID_JSON"),
        (b"{", "INVALID_JSON"),
        ([], "INVALID_QUERY"),
        ("text", "INVALID_QUERY"),
        ({"rank": {"$near": 3}}, "INVALID_QUERY"),
        ({"nope": 1}, "INVALID_COLUMN"),
        ({"$order": {"nope": "asc"}}, "INVALID_COLUMN"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(api: DataApi, body: object, code: str) -> None:
    refused = api.send("POST", "/api/query/Note", body=body)

    assert (refused.status, refused.code) == (400, code)


def test_a_query_of_an_unknown_entity_is_not_found(api: DataApi) -> None:
    assert api.send("POST", "/api/query/Nope", body={}).code == "ENTITY_NOT_FOUND"
