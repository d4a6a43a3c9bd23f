"""What is written is what is read, to the last bit, and filters compare by it."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_http import DataError, Filter
from pylon_http.filters import parse_where
from pylon_storage.postgres import PostgresStore

LARGE = 2**63 - 1

VALUES = {
    "the least integer": ("rank", -(2**63)),
    "the greatest integer": ("rank", LARGE),
    "an integer beyond doubles": ("rank", 2**53 + 1),
    "the least double": ("score", 5e-324),
    "the greatest double": ("score", 1.7976931348623157e308),
    "a fraction": ("score", 0.1),
    "a whole double": ("score", 3.0),
    "true": ("done", True),
    "false": ("done", False),
    "seconds": ("due", "2026-05-02T22:22:53Z"),
    "milliseconds": ("due", "2026-05-02T22:22:53.250Z"),
    "microseconds": ("due", "2026-05-02T22:22:53.250001Z"),
    "the first year": ("due", "0001-01-01T00:00:00Z"),
    "the last year": ("due", "9999-12-31T23:59:59.999999Z"),
    "no text": ("ownerId", ""),
    "quotes and marks": ("ownerId", "'\"?$1\\ {a,b} %s"),
    "beyond the basic plane": ("ownerId", "\U0001f600\uffff"),
}


@pytest.mark.parametrize(("field", "value"), VALUES.values(), ids=VALUES)
def test_a_value_comes_back_as_it_was(store: PostgresStore, field: str, value: Any) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": "t", field: value}))

    stored = store.get("Note", row["id"])
    assert stored == row
    assert stored[field] == value
    assert type(stored[field]) is type(value)
    assert store.changes(0, 10).events[0].row == row
    with store.read() as reader:
        assert reader.query("Note", Filter(where=parse_where({field: value}))) == [row]
        assert reader.query("Note", Filter(where=parse_where({field: {"$in": [value]}}))) == [row]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"rank": {"$gt": float(2**63)}}, False),
        ({"rank": {"$lt": 2**70}}, True),
        ({"rank": {"$lt": 1e300}}, True),
        ({"rank": {"$gt": LARGE - 0.5}}, False),  # no such double: it is 2**63
        ({"rank": {"$in": [2**70, 0.5, LARGE]}}, True),
        ({"rank": float(2**63)}, False),
    ],
)
def test_large_integers_compare_exactly(store: PostgresStore, where: dict[str, Any], found: bool) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "t", "rank": LARGE}))

    with store.read() as reader:
        assert bool(reader.query("Note", Filter(where=parse_where(where)))) is found


def test_a_nul_is_refused_and_spoils_nothing(store: PostgresStore) -> None:
    def work(tx: Any) -> None:
        with pytest.raises(DataError):
            tx.insert("Note", {"title": "a\0b"})
        tx.insert("Note", {"title": "kept"})

    store.transact(work)

    with store.read() as reader:
        assert [row["title"] for row in reader.query("Note", Filter())] == ["kept"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rank=st.none() | st.integers(-(2**63), LARGE),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    due=st.none() | st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z"),
)
def test_rows_come_back_whole(store: PostgresStore, rank: Any, score: Any, title: str, due: Any) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": title, "rank": rank, "score": score, "due": due}))

    assert store.get("Note", row["id"]) == row
    if score is not None and score == 0:
        assert math.copysign(1, store.get("Note", row["id"])["score"]) == 1  # type: ignore[index]
