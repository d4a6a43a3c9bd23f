"""Integers that no double holds survive D1, which has nothing but doubles."""

from typing import Any

import pytest

from pylon_http import DataError, Filter
from pylon_http.filters import parse_where
from pylon_workers import D1Store
from tests.pylon_workers.d1_store import rows
from tests.support.d1 import LocalD1

LARGE = (2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63))


def fill(store: D1Store) -> None:
    for number in LARGE:
        store.transact(lambda tx, number=number: tx.insert("Note", {"title": "i7", "rank": number}))  # type: ignore[misc]
    store.transact(lambda tx: tx.insert("Note", {"title": "t", "rank": 5, "score": 2.0**60}))


def query(store: D1Store, **rows: Any) -> list[Any]:
    with store.read() as reader:
        return [row["rank"] for row in reader.query("Note", Filter(**rows))]


def test_the_local_database_really_loses_them(d1: LocalD1) -> None:
    assert d1.query(f"SELECT {2**53 + 1}, 1.0, x'01'", ()) == [[2**53, 1, [1]]]
    assert d1.query("SELECT typeof(?)", (7,)) == [["real"]]


def test_large_integers_come_back_digit_for_digit(store: D1Store) -> None:
    fill(store)

    assert query(store) == [*LARGE, 5]
    assert [event.row["rank"] for event in store.changes(0, 10).events if event.row] == [*LARGE, 5]
    last = rows(store)[-1]
    assert (last["title"], last["score"], type(last["score"])) == ("t", 2.0**60, float)


def test_they_keep_the_order_of_the_query(store: D1Store) -> None:
    fill(store)

    assert query(store, order=(("rank", True),)) == sorted([*LARGE, 5], reverse=True)
    assert query(store, order=(("rank", False),), limit=2) == sorted(LARGE)[:2]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"rank": 2**53 + 1}, [2**53 + 1]),
        ({"rank": 2**53}, []),
        ({"rank": {"$in": [2**53 + 1, 2**63 - 1]}}, [2**53 + 1, 2**63 - 1]),
        ({"rank": {"$gt": 2**63 - 2}}, [2**63 - 1]),
        ({"rank": {"$lt": -(2**53)}}, [-(2**53) - 1, -(2**63)]),
        ({"rank": {"$lte": 10**30}}, [*LARGE, 5]),
        ({"score": {"$lt": 10**400}}, [5]),
    ],
    ids=repr,
)
def test_they_compare_as_what_they_are(store: D1Store, where: dict[str, Any], expected: list[int]) -> None:
    fill(store)

    assert query(store, where=parse_where(where)) == expected


def test_an_update_that_changes_the_last_digit_is_one(store: D1Store) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "a", "rank": 2**53}, "a"))

    def fail(tx: Any) -> None:
        tx.update("Note", "a", {"rank": 2**53 + 2})
        raise LookupError

    store.transact(lambda tx: tx.update("Note", "a", {"rank": 2**53 + 1}))
    with pytest.raises(LookupError):
        store.transact(fail)

    assert query(store) == [2**53 + 1]


def test_more_values_than_a_query_takes_are_refused(store: D1Store) -> None:
    where = parse_where({"$or": [{"rank": number} for number in range(101)]})

    with pytest.raises(DataError) as refused:
        query(store, where=where)

    assert refused.value.code == "INVALID_QUERY"
    assert query(store, where=parse_where({"rank": {"$in": list(range(1_000))}})) == []


def test_a_row_that_is_too_large_is_refused_and_leaves_nothing(store: D1Store) -> None:
    with pytest.raises(DataError) as refused:
        store.transact(lambda tx: tx.insert("Note", {"title": "x" * 2_100_000}))

    assert (refused.value.code, refused.value.status) == ("INSERT_FAILED", 400)
    assert rows(store) == []
    store.transact(lambda tx: tx.insert("Note", {"title": "small"}))
