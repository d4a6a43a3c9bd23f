"""Which search documents mean what, and which mean nothing (contract 01 §14)."""

from typing import Any

import pytest

from pylon_http import DataError, Search, SearchPage
from pylon_http.search import parse_search


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Search()),
        ({"query": "red", "nobody": "knows this"}, Search(text="red")),
        ({"filters": {"brand": "Bolt", "used": True, "price": None}}, None),
        ({"facets": ["brand"]}, Search(facets=("brand",))),
        ({"facets": []}, Search()),
        ({"sort": ["price", "desc"]}, Search(sort=("price", True))),
        ({"sort": ["price", "asc"]}, Search(sort=("price", False))),
        ({"page": 2, "page_size": 50}, Search(page=2, page_size=50)),
        ({"pageSize": 50}, Search(page_size=50)),
        ({"pageSize": 50, "page_size": 10}, Search(page_size=10)),
        ({"page_size": 10.0, "page": 1.0}, Search(page=1, page_size=10)),
        ({"page_size": 0}, Search(page_size=1)),
        ({"page_size": -(10**30)}, Search(page_size=1)),
        ({"page_size": 10**30}, Search(page_size=100)),
        (dict.fromkeys(["query", "filters", "facets", "sort", "page", "page_size", "pageSize"]), Search()),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_document_means(document: dict[str, Any], expected: Search | None) -> None:
    assert parse_search(document) == (expected or Search(filters=document["filters"]))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "red",
        {"query": 5},
        {"query": ["red"]},
        {"query": "x" * 1_001},
        {"filters": []},
        {"filters": {"brand": ["Atlas", "Bolt"]}},
        {"filters": {"price": {"$gt": 5}}},
        {"facets": "brand"},
        {"facets": [1]},
        {"sort": "price"},
        {"sort": ["price"]},
        {"sort": ["price", "up"]},
        {"sort": ["price", "desc", "x"]},
        {"sort": [1, "asc"]},
        {"sort": {"price": "asc"}},
        {"page": -1},
        {"page": 1.5},
        {"page": "1"},
        {"page": True},
        {"page": 2**63},
        {"page": 2**63 - 1, "page_size": 2},
        {"page_size": "20"},
        {"page_size": 1.5},
        {"page_size": True},
        {"pageSize": [20]},
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_document_that_means_nothing_is_refused(document: Any) -> None:
    with pytest.raises(DataError) as refused:
        parse_search(document)

    assert (refused.value.code, refused.value.status) == ("INVALID_QUERY", 400)


def test_the_last_page_that_both_databases_can_count_to_is_taken() -> None:
    page = (2**63 - 1) // 100

    assert parse_search({"page": page, "page_size": 100}).page == page


def test_an_answer_has_the_members_that_clients_read() -> None:
    page = SearchPage([{"id": "a"}], 7, {"brand": {"Bolt": 7}})

    assert page.to_wire([{"id": "shown"}], 0.0126) == {
        "hits": [{"id": "shown"}],
        "facetCounts": {"brand": {"Bolt": 7}},
        "total": 7,
        "tookMs": 13,
    }
