"""What every adapter's filters select, in which order, and what they refuse (contract 12 §7)."""

from typing import Any

import pytest

from pylon_http import Condition, DataError, DataStore, Filter
from pylon_http.filters import parse_where
from pylon_http.where import equal

ROWS = (
    {"title": "a", "rank": 1, "done": True, "score": 1.5},
    {"title": "b", "rank": 2, "done": False, "score": 2.5},
    {"title": "c", "rank": 3, "done": None, "score": None},
    {"title": "Bug 50%", "rank": None, "done": True, "score": 0.0},
)


@pytest.fixture(autouse=True)
def _rows(store: DataStore) -> None:
    def fill(tx: Any) -> None:
        for number, row in enumerate(ROWS):
            tx.insert("Note", row, f"r{number}")

    store.transact(fill)


def titles(store: DataStore, **rows: Any) -> list[str]:
    with store.read() as reader:
        where = parse_where(rows.pop("where", {}))
        return [row["title"] for row in reader.query("Note", Filter(where=where, **rows))]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, ["a", "b", "c", "Bug 50%"]),
        ({"title": "b"}, ["b"]),
        ({"done": True}, ["a", "Bug 50%"]),
        ({"done": False}, ["b"]),
        ({"done": None}, ["c"]),
        ({"done": {"$not": None}}, ["a", "b", "Bug 50%"]),
        ({"rank": {"$not": 1}}, ["b", "c"]),
        ({"rank": {"$gte": 2, "$lt": 3}}, ["b"]),
        ({"score": {"$gt": 1}}, ["a", "b"]),
        ({"score": {"$lte": 1.5}}, ["a", "Bug 50%"]),
        ({"title": {"$like": "Bug"}}, ["Bug 50%"]),
        ({"title": {"$like": "bug"}}, []),
        ({"title": {"$like": "0%"}}, ["Bug 50%"]),
        ({"title": {"$like": "_"}}, []),
        ({"title": {"$like": ""}}, ["a", "b", "c", "Bug 50%"]),
        ({"rank": {"$exists": True}}, ["a", "b", "c"]),
        ({"rank": {"$exists": False}}, ["Bug 50%"]),
        ({"$or": [{"rank": 1}, {"done": False}]}, ["a", "b"]),
        ({"$or": [{"rank": {"$gt": 1}}, {"title": "a"}], "done": {"$exists": True}}, ["a", "b"]),
        ({"$and": [{"rank": {"$gt": 1}}, {"rank": {"$lt": 3}}]}, ["b"]),
        ({"$or": [{}]}, ["a", "b", "c", "Bug 50%"]),
        ({"rank": {"$in": [1, 3, 9]}}, ["a", "c"]),
        ({"title": {"$in": ["a", "b"]}, "done": True}, ["a"]),
        ({"done": {"$in": [True]}}, ["a", "Bug 50%"]),
        ({"rank": {"$in": []}}, []),
        ({"rank": {"$in": [None]}}, []),
        ({"rank": 10**30}, []),
        ({"rank": 10**400}, []),
        ({"rank": {"$lt": 10**400}}, ["a", "b", "c"]),
        ({"rank": {"$lt": -(10**400)}}, []),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_filter_selects(store: DataStore, where: dict[str, Any], expected: list[str]) -> None:
    assert titles(store, where=where) == expected


def test_the_callers_filter_and_the_condition_are_both_required(store: DataStore) -> None:
    condition = Condition('"rank" = ? OR "rank" = ?', (1, 3))

    assert titles(store, condition=condition) == ["a", "c"]
    assert titles(store, where={"done": True}, condition=condition) == ["a"]


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ({"colour": 1}, "INVALID_COLUMN"),
        ({'title" OR 1=1 --': 1}, "INVALID_COLUMN"),
        ({"title": {"$regex": "x"}}, "INVALID_QUERY"),
        ({"title": {"$like": 5}}, "INVALID_QUERY"),
        ({"title": {"$like": "%a" * 30_000}}, "INVALID_QUERY"),
        ({"title": {"$in": "ab"}}, "INVALID_QUERY"),
        ({"title": ["a"]}, "INVALID_QUERY"),
        ({"title": 5}, "INVALID_QUERY"),
        ({"rank": "1"}, "INVALID_QUERY"),
        ({"rank": True}, "INVALID_QUERY"),
        ({"rank": {"$in": [1, "a"]}}, "INVALID_QUERY"),
        ({"rank": {"$like": "1"}}, "INVALID_QUERY"),
        ({"rank": {"$gt": None}}, "INVALID_QUERY"),
        ({"done": "yes"}, "INVALID_QUERY"),
        ({"title": "a\0b"}, "INVALID_QUERY"),
        ({"title": {"$search": "a"}}, "INVALID_QUERY"),
        ({"$search": "a"}, "SEARCH_NOT_CONFIGURED"),
        ({"$or": []}, "INVALID_QUERY"),
        ({"$or": [{"$limit": 1}]}, "INVALID_QUERY"),
        ({"$nor": [{"rank": 1}]}, "INVALID_QUERY"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_filter_that_means_nothing_is_refused(store: DataStore, where: dict[str, Any], code: str) -> None:
    with pytest.raises(DataError) as refused:
        titles(store, where=where)

    assert refused.value.code == code


def test_order_is_as_written_and_ties_go_by_id(store: DataStore) -> None:
    assert titles(store, order=(("done", True), ("rank", True))) == ["a", "Bug 50%", "b", "c"]
    assert titles(store, where={"rank": {"$not": None}}, order=(("rank", True),)) == ["c", "b", "a"]
    assert titles(store, order=(("ownerId", True),)) == ["a", "b", "c", "Bug 50%"]


def test_limit_offset_and_after_page_without_overlap(store: DataStore) -> None:
    assert titles(store, limit=2) == ["a", "b"]
    assert titles(store, limit=2, offset=3) == ["Bug 50%"]
    assert titles(store, offset=3) == ["Bug 50%"]
    assert titles(store, limit=0) == []
    assert titles(store, after="r1", limit=1) == ["c"]


def test_a_limit_for_each_value_counts_in_order_and_within_the_limit(store: DataStore) -> None:
    order = (("score", True),)

    assert titles(store, limit_per=("done", 1)) == ["a", "b", "c"]
    assert titles(store, order=order, limit_per=("done", 1)) == ["b", "a", "c"]
    assert titles(store, order=order, limit_per=("done", 2)) == ["b", "a", "Bug 50%", "c"]
    assert titles(store, order=order, limit_per=("done", 2), limit=2, offset=1) == ["a", "Bug 50%"]
    assert titles(store, limit_per=("id", 0)) == []
    assert titles(store, where={"rank": {"$gt": 1}}, limit_per=("done", 1)) == ["b", "c"]
    with pytest.raises(DataError) as refused:
        titles(store, limit_per=("nope", 1))
    assert refused.value.code == "INVALID_COLUMN"


def test_count_ignores_the_page(store: DataStore) -> None:
    with store.read() as reader:
        assert reader.count("Note", Filter(where=equal("done", value=True), limit=1)) == 2


def test_lookup_finds_the_first_by_id(store: DataStore) -> None:
    with store.read() as reader:
        found = reader.lookup("Note", "done", value=True)
        assert found is not None
        assert found["title"] == "a"
        assert reader.lookup("Note", "title", "zzz") is None


def test_lookup_looks_among_the_rows_of_its_condition_only(store: DataStore) -> None:
    with store.read() as reader:
        found = reader.lookup("Note", "done", value=True, condition=Condition('"rank" IS NULL'))
        assert found is not None
        assert found["title"] == "Bug 50%"
        assert reader.lookup("Note", "title", "a", Condition("1 = 0")) is None


def test_a_count_is_true_again_after_every_write(store: DataStore) -> None:
    def counted() -> int:
        with store.read() as reader:
            return reader.count("Note", Filter(where=equal("done", value=True)))

    assert [counted(), counted()] == [2, 2]
    store.transact(lambda tx: tx.insert("Note", {"title": "d", "done": True}, "r9"))
    assert counted() == 3
    store.transact(lambda tx: tx.update("Note", "r9", {"done": False}))
    assert counted() == 2
    store.transact(lambda tx: tx.delete("Note", "r0"))
    assert [counted(), counted()] == [1, 1]


def test_a_count_inside_a_transaction_sees_its_writes(store: DataStore) -> None:
    def work(tx: Any) -> list[int]:
        done = Filter(where=equal("done", value=True))
        before = tx.count("Note", done)
        tx.insert("Note", {"title": "d", "done": True})
        return [before, tx.count("Note", done)]

    assert store.transact(work) == [2, 3]


def test_rows_with_more_text_than_an_answer_may_hold_are_refused(store: DataStore) -> None:
    store.transact(lambda tx: [tx.insert("Note", {"title": "big", "body": "x" * 1000}) for _ in range(10)])
    big = equal("title", "big")

    with store.read() as reader:
        assert len(reader.query("Note", Filter(where=big, limit=4, chars_max=5_000))) == 4
        with pytest.raises(DataError) as refused:
            reader.query("Note", Filter(where=big, chars_max=5_000))
        assert len(reader.query("Note", Filter(where=big))) == 10

    assert (refused.value.code, refused.value.status) == ("PAYLOAD_TOO_LARGE", 413)
