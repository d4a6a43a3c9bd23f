"""A statement that Postgres refuses undoes itself, names its reason without SQL, and the transaction goes on."""

import itertools
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pylon_http import DataError, Filter, TxStore
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.rig import note, titles


def test_a_refused_statement_spoils_nothing_before_or_after_it(store: PostgresStore) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "first", "slug": "s"}))

    def work(tx: TxStore) -> None:
        note("before")(tx)
        with pytest.raises(DataError):
            tx.insert("Note", {"title": "twin", "slug": "s"})
        with pytest.raises(LookupError), tx.savepoint():
            note("undone")(tx)
            with pytest.raises(DataError):
                tx.insert("Note", {"title": "twin", "slug": "s"})
            raise LookupError
        note("after")(tx)

    store.transact(work)

    assert titles(store) == ["first", "before", "after"]
    assert [event.row["title"] for event in store.changes(0, 10).events if event.row] == [
        "first",
        "before",
        "after",
    ]


def test_a_refused_read_spoils_nothing(store: PostgresStore) -> None:
    def work(tx: Any) -> None:
        note("before")(tx)
        with pytest.raises(DataError) as refused:
            tx._statements.all('SELECT 1 / (count(*) - 1) FROM "Note"')
        assert refused.value.code == "INVALID_QUERY"
        note("after")(tx)

    store.transact(work)

    assert titles(store) == ["before", "after"]


def test_what_is_taken_is_named_without_its_value(store: PostgresStore) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "a", "slug": "secret"}))

    with pytest.raises(DataError) as refused:
        store.transact(lambda tx: tx.insert("Note", {"title": "b", "slug": "secret"}))

    assert (refused.value.code, refused.value.status) == ("INSERT_FAILED", 409)
    assert refused.value.message == "Note already has a row with this slug."


def test_an_update_to_what_is_taken_is_refused_and_the_row_stays(store: PostgresStore) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "a", "slug": "s"}))
    row = store.transact(note("b"))

    def work(tx: TxStore) -> None:
        with pytest.raises(DataError) as refused:
            tx.update("Note", row["id"], {"slug": "s"})
        assert refused.value.status == 409

    store.transact(work)

    assert store.get("Note", row["id"]) == row


def test_a_row_too_large_for_its_index_is_refused(store: PostgresStore) -> None:
    chance = random.Random(7)
    text = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(9_000))

    with pytest.raises(DataError) as refused:
        store.transact(lambda tx: tx.insert("Note", {"title": "a", "slug": text}))

    assert refused.value.code == "INSERT_FAILED"


def test_a_transaction_that_did_nothing_leaves_nothing(store: PostgresStore) -> None:
    assert store.transact(lambda tx: 5) == 5
    assert store.transact(lambda tx: tx.get("Note", "x")) is None
    assert store.head() == 0


def _nested(steps: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    """Longer lists, some of whose steps are savepoints: whether the body fails, and its steps."""
    return st.lists(st.one_of(_STEP, st.tuples(st.booleans(), steps)), max_size=4)


_STEP = st.sampled_from(["write", "refused", "read"])
_STEPS = st.recursive(st.lists(_STEP, max_size=4), _nested, max_leaves=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
@example([(True, ["write", (False, ["write"])])])
def test_whatever_is_nested_in_whatever_is_undone_alone(store: PostgresStore, steps: list[Any]) -> None:
    """Savepoints, some of whose bodies fail, with writes, refusals and reads in between."""
    numbers = itertools.count()

    def run(tx: TxStore, steps: list[Any]) -> list[str]:
        done: list[str] = []
        for step in steps:
            if step == "write":
                done.append(str(note(f"{next(numbers)}")(tx)["title"]))
            elif step == "refused":
                with pytest.raises(DataError):
                    tx.insert("Note", {"title": "twin", "slug": "taken"})
            elif step == "read":
                tx.get("Note", "none")
            else:
                fails, inner = step
                with suppress(LookupError), tx.savepoint():
                    kept = run(tx, inner)
                    if fails:
                        raise LookupError
                    done += kept
        return done

    def work(tx: TxStore) -> list[str]:
        for row in tx.query("Note", Filter()):
            tx.delete("Note", row["id"])
        tx.insert("Note", {"title": "first", "slug": "taken"})
        return run(tx, steps)

    head = store.head()
    expected = store.transact(work)

    assert titles(store) == ["first", *expected]
    logged = [event.row["title"] for event in store.changes(head, 1_000).events if event.row]
    assert logged == ["first", *expected]
