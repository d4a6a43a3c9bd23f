"""Calls that fail, answers that get lost, processes that die: what is acknowledged stays, nothing half remains."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pylon_http import DataError, DataStore, TxStore
from pylon_storage import EphemeralStore
from pylon_workers import D1Error, D1Store, Statement
from tests.pylon_workers.d1_store import MANIFEST, WATCHED, journal, network_lost, open_store, rows, titles
from tests.support.d1 import Fault, LocalD1


def insert(title: str) -> Any:
    return lambda tx: tx.insert("Note", {"title": title})


def fault(call: str, *, lost: bool) -> Fault:
    """Every such call fails: its answer is lost, or it is not done at all."""

    def decide(name: str, statements: Sequence[Statement]) -> bool:
        if name == call and not lost:
            raise network_lost()
        return name == call

    return decide


def sound(_name: str, _statements: Sequence[Statement]) -> bool:
    return False


def insert_and_fail(tx: TxStore) -> None:
    tx.insert("Note", {"title": "ghost"})
    raise LookupError("on purpose")


@pytest.mark.parametrize("lost", [False, True], ids=["not-done", "done"])
def test_a_batch_without_an_answer_undoes_the_transaction(store: D1Store, d1: LocalD1, lost: bool) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "a"})
        d1.fault = fault("batch", lost=lost)
        try:
            with pytest.raises(DataError):
                tx.insert("Note", {"title": "b"})
        finally:
            d1.fault = sound
        with pytest.raises(DataError):
            tx.insert("Note", {"title": "c"})

    with pytest.raises(DataError) as refused:
        store.transact(work)

    assert refused.value.code == "NOT_AVAILABLE"
    assert rows(store) == []
    assert (store.head(), store.changes(0, 10).events, journal(d1)) == (0, [], [])
    store.transact(insert("later"))
    assert [event.seq for event in store.changes(0, 10).events] == [1]


def test_a_commit_whose_answer_is_lost_is_a_commit(store: D1Store, d1: LocalD1) -> None:
    d1.fault = fault("execute", lost=True)

    store.transact(insert("a"))

    assert titles(store) == ["a"]
    assert store.head() == 1


def test_a_commit_that_did_not_happen_undoes_the_transaction(store: D1Store, d1: LocalD1) -> None:
    d1.fault = fault("execute", lost=False)

    with pytest.raises(DataError) as refused:
        store.transact(insert("a"))

    assert refused.value.code == "NOT_AVAILABLE"
    assert rows(store) == []


@pytest.mark.parametrize("committed", [False, True])
def test_a_commit_that_nobody_can_ask_about_is_found_out_later(
    store: D1Store, d1: LocalD1, committed: bool
) -> None:
    def silent_after_the_write(name: str, statements: Sequence[Statement]) -> bool:
        if name == "query" or (name == "execute" and not committed):
            raise network_lost()
        return name == "execute"

    heard: list[int] = []
    store.subscribe(lambda events: heard.extend(event.seq for event in events))
    d1.fault = silent_after_the_write
    with pytest.raises(DataError) as unknown:
        store.transact(insert("a"))
    assert unknown.value.code == "COMMIT_FAILED"

    d1.fault = sound

    assert titles(store) == (["a"] if committed else [])
    assert heard == ([1] if committed else [])
    store.transact(insert("b"))
    assert heard == ([1, 2] if committed else [1])


def test_an_undoing_that_fails_closes_the_store_until_it_succeeds(store: D1Store, d1: LocalD1) -> None:
    def no_undoing(name: str, statements: Sequence[Statement]) -> bool:
        if name == "batch" and statements[-1].text.startswith("DELETE FROM _pylon_journal"):
            raise network_lost()
        return False

    store.transact(insert("real"))
    d1.fault = no_undoing
    with pytest.raises(LookupError):
        store.transact(insert_and_fail)

    refusals = []
    for use in (
        lambda: store.transact(insert("x")),
        lambda: store.get("Note", "x"),
        lambda: store.changes(0, 1),
        lambda: rows(store),
    ):
        with pytest.raises(DataError) as refused:
            use()
        refusals.append(refused.value.code)
    outcomes: list[Any] = []
    store.submit(insert("y"), outcomes.append)
    assert store.flush() is True
    with pytest.raises(DataError):
        outcomes[0].get()
    assert refusals == ["NOT_AVAILABLE"] * 4

    d1.fault = sound

    assert titles(store) == ["real"]
    assert [event.seq for event in store.changes(0, 10).events] == [1]


def test_a_failed_undoing_of_a_savepoint_undoes_the_whole_transaction(store: D1Store, d1: LocalD1) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "a"})
        with pytest.raises(DataError), tx.savepoint():
            tx.insert("Note", {"title": "b"})
            d1.fault = fault("batch", lost=False)
            raise LookupError
        d1.fault = sound

    with pytest.raises(DataError) as refused:
        store.transact(work)

    assert refused.value.code == "NOT_AVAILABLE"
    assert rows(store) == []


def test_what_a_dead_process_left_half_done_is_undone_at_the_next_start(store: D1Store, d1: LocalD1) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "real", "slug": "s"}, "r"))

    def die(tx: TxStore) -> None:
        tx.delete("Note", "r")
        tx.insert("Note", {"title": "half", "slug": "s"})
        d1.fault = fault("query", lost=False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.transact(die)
    d1.fault = sound
    assert [title for (title,) in d1.query('SELECT "title" FROM "Note"', ())] == ["half"]

    restarted = open_store(d1)

    assert titles(restarted) == ["real"]
    assert restarted.head() == 1
    restarted.transact(insert("b"))
    assert [event.seq for event in restarted.changes(0, 10).events] == [1, 2]


def test_a_read_that_fails_is_an_error_of_the_server(store: D1Store, d1: LocalD1) -> None:
    d1.fault = fault("query", lost=False)

    with pytest.raises(DataError) as failed:
        store.get("Note", "x")

    assert (failed.value.code, failed.value.status) == ("QUERY_FAILED", 500)
    assert "network" not in failed.value.message.lower()


OPS = st.recursive(
    st.one_of(
        st.tuples(st.just("insert"), st.sampled_from("abc"), st.sampled_from(["s", "t", None])),
        st.tuples(st.just("update"), st.sampled_from("abc"), st.sampled_from(["s", "t", None])),
        st.tuples(st.just("delete"), st.sampled_from("abc"), st.none()),
    ),
    lambda ops: st.tuples(st.just("savepoint"), st.lists(ops, max_size=4), st.booleans()),
    max_leaves=6,
)


def apply(tx: TxStore, ops: Sequence[Any]) -> None:
    for kind, what, value in ops:
        try:
            if kind == "savepoint":
                apply_in_savepoint(tx, what, succeeds=value)
            elif kind == "insert":
                tx.insert("Note", {"title": "x", "slug": value, "rank": 2**60 + 1}, what)
            elif kind == "update":
                tx.update("Note", what, {"slug": value, "rank": None})
            else:
                tx.delete("Note", what)
        except LookupError:
            pass
        except DataError as error:
            if error.code not in ("INSERT_FAILED", "UPDATE_FAILED"):
                raise


def apply_in_savepoint(tx: TxStore, ops: Sequence[Any], *, succeeds: bool) -> None:
    with tx.savepoint():
        apply(tx, ops)
        if not succeeds:
            raise LookupError


def run(store: DataStore, number: int, ops: Sequence[Any], *, succeeds: bool) -> None:
    def work(tx: TxStore) -> None:
        tx.remember("test", str(number), "")
        apply(tx, ops)
        if not succeeds:
            raise LookupError

    store.transact(work)


@settings(deadline=None, max_examples=120)
@given(
    transactions=st.lists(st.tuples(st.lists(OPS, max_size=5), st.booleans()), max_size=5),
    faults=st.dictionaries(st.integers(0, 60), st.booleans(), max_size=6),
)
def test_whatever_fails_the_database_holds_the_acknowledged_transactions_and_no_part_of_others(
    transactions: list[tuple[list[Any], bool]], faults: dict[int, bool]
) -> None:
    """The oracle is the SQLite store, which is given the transactions that D1 has; unknown ones are asked for."""
    d1 = LocalD1()
    store = open_store(d1)
    with closing(EphemeralStore(MANIFEST, watched=WATCHED)) as oracle, closing(d1):
        before = len(d1.calls)

        def decide(_name: str, _statements: Sequence[Statement]) -> bool:
            lost = faults.get(len(d1.calls) - before - 1)
            if lost is False:
                raise network_lost()
            return lost is True

        for number, (ops, succeeds) in enumerate(transactions):
            d1.fault = decide
            answer = "ok"
            try:
                run(store, number, ops, succeeds=succeeds)
            except (DataError, LookupError) as error:
                answer = error.code if isinstance(error, DataError) else "raised"
            d1.fault = sound
            happened = store.transact(lambda tx, op=str(number): tx.recall("test", op)) is not None  # type: ignore[misc]
            assert happened == (answer == "ok") or answer == "COMMIT_FAILED"
            if happened:
                run(oracle, number, ops, succeeds=True)
            assert rows(store) == rows(oracle)

        assert log(store) == log(oracle)
        assert journal(d1) == []


def log(store: DataStore) -> list[Any]:
    return [(e.seq, e.kind, e.row_id, e.row, e.before) for e in store.changes(0, 1_000).events]


def test_an_error_of_the_executor_is_no_ones_to_see(store: D1Store, d1: LocalD1) -> None:
    d1.fault = fault("batch", lost=False)

    with pytest.raises(DataError) as refused:
        store.transact(insert("a"))

    assert isinstance(refused.value.__cause__, D1Error)
