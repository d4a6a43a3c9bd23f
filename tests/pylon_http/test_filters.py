"""Which filter documents mean what, and which mean nothing (contract 12 §7, design §4 decision 18)."""

from typing import Any

import pytest

from pylon_http import DataError, Filter
from pylon_http.filters import parse_filter


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Filter()),
        ({"done": False, "title": None}, Filter(where={"done": False, "title": None})),
        ({"tags": ["a"]}, Filter(where={"tags": ["a"]})),
        ({"age": {"$gte": 18, "$lt": 65}}, Filter(where={"age": {"$gte": 18, "$lt": 65}})),
        (
            {"a": {"$not": None, "$like": "x", "$in": []}},
            Filter(where={"a": {"$not": None, "$like": "x", "$in": []}}),
        ),
        ({"$order": {"b": "desc", "a": "asc"}}, Filter(order=(("b", True), ("a", False)))),
        ({"$order": {"a": "DESC", "b": "down", "c": 1}}, Filter(order=(("a", True), ("b", False), ("c", False)))),
        ({"$limit": 0}, Filter(limit=0)),
        ({"$limit": 5.0, "$offset": 2}, Filter(limit=5, offset=2)),
        ({"$limit": None, "$offset": None, "$order": None}, Filter()),
    ],
    ids=repr,
)
def test_a_document_means(document: dict[str, Any], expected: Filter) -> None:
    assert parse_filter(document) == expected


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {"a": {}},
        {"a": {"$near": 1}},
        {"a": {"b": 1}},
        {"a": {"$gt": {}}},
        {"a": {"$not": {"$gt": 1}}},
        {"a": {"$in": "ab"}},
        {"a": {"$like": 5}},
        {"$or": []},
        {"$search": "x"},
        {"$order": ["a"]},
        {"$limit": -1},
        {"$limit": 1.5},
        {"$limit": "5"},
        {"$limit": True},
        {"$offset": 2**63},
        {"$offset": float("inf")},
    ],
    ids=repr,
)
def test_a_document_that_means_nothing_is_refused(document: object) -> None:
    with pytest.raises(DataError) as refused:
        parse_filter(document)

    assert (refused.value.code, refused.value.status) == ("INVALID_QUERY", 400)
