"""What a live query decides in memory, the databases decide alike: which rows, and in which order.

Were they to differ, a subscriber's list would differ from a fresh query from the first change on. Rows and queries
of every kind are compared on both engines, in a transaction that is taken back.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_http import DataError, DataStore, Filter, Row, TxStore
from pylon_http.filters import parse_filter
from pylon_storage import EphemeralStore
from pylon_sync.live import LiveQuery, Selection
from tests.strategies.documents import app
from tests.strategies.live_queries import OPTIONAL, POOLS, STORED, THING, many_things, orders, wheres
from tests.support.engines import postgres
from tests.support.postgres import POOL_DRAWS

pytestmark = POOL_DRAWS

MANIFEST = parse_manifest(jsontext.encode(app(entities=[THING])))
ENTITY = MANIFEST.entity("Thing")
assert ENTITY is not None

Asked = Mapping[str, Any]

queries = st.builds(lambda where, order: {**where, "$order": order}, wheres, orders)


class TakenBackError(Exception):
    pass


@pytest.fixture(scope="module")
def sqlite_store() -> Iterator[DataStore]:
    store = EphemeralStore(MANIFEST, watched={})
    yield store
    store.close()


@pytest.fixture(scope="module")
def postgres_store() -> Iterator[DataStore]:
    store = postgres(MANIFEST, {})
    yield store
    store.close()


def in_memory(rows: Sequence[Row], wanted: Filter) -> list[Row]:
    assert ENTITY is not None
    selection = Selection(LiveQuery("Thing", wanted.where, wanted.order, 1000), ENTITY)
    found = sorted(filter(selection.matches, rows), key=selection.key)
    keys = [selection.key(row) for row in found]
    assert all(one < other and one <= other and other > one and other >= one for one, other in pairwise(keys))
    return found


def assert_both_agree(store: DataStore, rows: Mapping[str, Row], asked: Sequence[Asked]) -> None:
    def compare(tx: TxStore) -> None:
        stored = [tx.insert("Thing", data, row_id) for row_id, data in rows.items()]
        for document in asked:
            wanted = parse_filter(document)
            selected = tx.query("Thing", wanted)
            found = in_memory(stored, wanted)
            assert [row["id"] for row in found] == [row["id"] for row in selected], document
            assert found == selected
        raise TakenBackError

    with pytest.raises(TakenBackError):
        store.transact(compare)


MANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
same_for_all = given(rows=many_things(), asked=st.lists(queries, min_size=20, max_size=40))


@settings(MANY, max_examples=60)
@same_for_all
def test_the_same_rows_in_the_same_order_as_on_sqlite(
    sqlite_store: DataStore, rows: Mapping[str, Row], asked: list[Asked]
) -> None:
    assert_both_agree(sqlite_store, rows, asked)


@settings(MANY, max_examples=25)
@same_for_all
def test_the_same_rows_in_the_same_order_as_on_postgres(
    postgres_store: DataStore, rows: Mapping[str, Row], asked: list[Asked]
) -> None:
    assert_both_agree(postgres_store, rows, asked)


def every_comparison() -> Iterator[Asked]:
    """Each field with each value of its pool."""
    for name, pool in POOLS.items():
        for value in pool:
            yield from ({name: value}, {name: {"$in": [value]}})
            yield from ({name: {operator: value}} for operator in ("$not", "$lt", "$lte", "$gt", "$gte"))
            if isinstance(value, str) and name != "at":
                yield {name: {"$like": value}}
        yield from ({"$order": {name: direction}} for direction in ("asc", "desc"))


def every_value() -> dict[str, Row]:
    """A row for each value of each pool, the shorter pools over and over; the last misses what may be missing."""
    longest = max(map(len, STORED.values()))
    rows = {f"r{n}": {name: pool[n % len(pool)] for name, pool in STORED.items()} for n in range(longest)}
    rows["missing"] = {name: None if name in OPTIONAL else pool[0] for name, pool in STORED.items()}
    return rows


def test_every_awkward_value_compares_as_on_sqlite(sqlite_store: DataStore) -> None:
    assert_both_agree(sqlite_store, every_value(), list(every_comparison()))


def test_every_awkward_value_compares_as_on_postgres(postgres_store: DataStore) -> None:
    assert_both_agree(postgres_store, every_value(), list(every_comparison()))


def test_a_search_is_refused() -> None:
    with pytest.raises(DataError) as refused:
        in_memory([], parse_filter({"$search": "milk"}))

    assert refused.value.code == "INVALID_QUERY"


@given(where=wheres, rows=many_things())
def test_whatever_is_selected_has_the_value_that_the_query_is_found_by(
    where: Asked, rows: Mapping[str, Row]
) -> None:
    assert ENTITY is not None
    selection = Selection(LiveQuery("Thing", parse_filter(where).where, (), 1000), ENTITY)

    selected = [row for row_id, data in rows.items() if selection.matches(row := {**data, "id": row_id})]

    if selection.equality is not None:
        field, value = selection.equality
        assert all(row[field] == value for row in selected)
