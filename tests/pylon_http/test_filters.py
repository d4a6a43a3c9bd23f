"""Which filter documents mean what, and which mean nothing (contract 12 §7, design §4 decision 18)."""

from typing import Any

import pytest

from pylon_http import DataError, Filter
from pylon_http.filters import TERMS_MAX, parse_filter
from pylon_http.where import AllOf, AnyOf, Compare, Comparison, Contains, Exists, Matches, OneOf, equal


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        document = {"$and": [document]}
    return document


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Filter()),
        ({"done": False}, Filter(where=equal("done", value=False))),
        ({"a": 1, "b": None}, Filter(where=AllOf((equal("a", 1), Exists("b", wanted=False))))),
        (
            {"age": {"$gte": 18, "$lt": 65}},
            Filter(where=AllOf((Compare("age", Comparison.GE, 18), Compare("age", Comparison.LT, 65)))),
        ),
        (
            {"a": {"$not": None, "$like": "x", "$in": [1, None]}},
            Filter(where=AllOf((Exists("a"), Contains("a", "x"), OneOf("a", (1,))))),
        ),
        (
            {"$or": [{"a": 1}, {"b": 2, "$search": "tea"}]},
            Filter(where=AnyOf((equal("a", 1), AllOf((equal("b", 2), Matches("tea")))))),
        ),
        ({"a": {"$exists": False}}, Filter(where=Exists("a", wanted=False))),
        ({"$order": {"b": "desc", "a": "asc"}}, Filter(order=(("b", True), ("a", False)))),
        ({"$order": {"a": "DESC", "b": "down", "c": 1}}, Filter(order=(("a", True), ("b", False), ("c", False)))),
        ({"$limit": 0}, Filter(limit=0)),
        ({"$limit": 5.0, "$offset": 2}, Filter(limit=5, offset=2)),
        ({"$limit": None, "$offset": None, "$order": None}, Filter()),
    ],
    ids=lambda value: repr(value)[:60],
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
        {"$search": 5},
        {"$search": "x" * 1_001},
        {"$and": {}},
        {"$or": [{}] * (TERMS_MAX + 1)},
        {"$and": [{"$or": [{}, {}]}] * TERMS_MAX},
        {"$or": [1]},
        {"$or": [{"$order": {"a": "asc"}}]},
        {"a": ["a"]},
        {"a": {"$exists": 1}},
        {"a": {"$lt": None}},
        {"a": {"$in": [["x"]]}},
        {"a": {"$in": [1] * 10_001}},
        {"$and": [{f"f{number}": 1 for number in range(501)}]},
        nested(17),
        {"$order": ["a"]},
        {"$limit": -1},
        {"$limit": 1.5},
        {"$limit": "5"},
        {"$limit": True},
        {"$offset": 2**63},
        {"$offset": float("inf")},
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_document_that_means_nothing_is_refused(document: object) -> None:
    with pytest.raises(DataError) as refused:
        parse_filter(document)

    assert (refused.value.code, refused.value.status) == ("INVALID_QUERY", 400)
