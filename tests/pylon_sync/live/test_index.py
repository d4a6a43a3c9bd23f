"""A change is put before every query that it may concern, and before few others."""

import pytest

from pylon_sync.live import QueryIndex


@pytest.fixture
def index() -> QueryIndex[str]:
    index = QueryIndex[str]()
    index.add("all", "Todo", None)
    index.add("of ann", "Todo", ("owner", "ann"))
    index.add("of bob", "Todo", ("owner", "bob"))
    index.add("of rank 1", "Todo", ("rank", 1))
    index.add("notes", "Note", None)
    return index


def concerned(index: QueryIndex[str], row_id: str, **row: object) -> set[str]:
    return set(index.concerned("Todo", row_id, row or None))


def test_a_row_concerns_those_who_want_its_values(index: QueryIndex[str]) -> None:
    assert concerned(index, "t1", owner="ann", rank=1) == {"all", "of ann", "of rank 1"}
    assert concerned(index, "t1", owner=None, rank=2) == {"all"}


def test_a_row_concerns_those_who_hold_it_whatever_it_has_become(index: QueryIndex[str]) -> None:
    index.hold("of ann", "Todo", "t1")

    assert concerned(index, "t1", owner="bob") == {"all", "of ann", "of bob"}
    assert concerned(index, "t1") == {"of ann"}
    assert concerned(index, "t2") == set()

    index.release("of ann", "Todo", "t1")
    assert concerned(index, "t1") == set()


def test_nothing_is_left_of_a_query_that_went(index: QueryIndex[str]) -> None:
    for query, equality in {"all": None, "of ann": ("owner", "ann"), "of bob": ("owner", "bob")}.items():
        index.hold(query, "Todo", "t1")
        index.remove(query, "Todo", equality, ["t1"])

    assert concerned(index, "t1", owner="ann", rank=1) == {"of rank 1"}
    index.remove("of rank 1", "Todo", ("rank", 1), [])
    index.remove("notes", "Note", None, [])
    assert vars(index) == vars(QueryIndex[str]())


def test_an_entity_that_nobody_asks_for_concerns_nobody(index: QueryIndex[str]) -> None:
    assert set(index.concerned("Other", "o1", {"owner": "ann"})) == set()
