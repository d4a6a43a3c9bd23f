"""Atomicity, isolation and the change log, on every adapter."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from pylon_http import ChangeEvent, ChangeKind, DataError, DataStore, Filter, TxStore


def log(store: DataStore, since: int = 0) -> list[ChangeEvent]:
    return list(store.changes(since, 10_000).events)


def titles(store: DataStore) -> list[str]:
    with store.read() as reader:
        return [row["title"] for row in reader.query("Note", Filter())]


def test_each_change_is_one_entry_with_the_whole_row(store: DataStore) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": "a", "ownerId": "u1", "score": 1}))
    store.transact(lambda tx: tx.update("Note", row["id"], {"title": "b"}))
    store.transact(lambda tx: tx.update("Note", row["id"], {"ownerId": "u2"}))
    store.transact(lambda tx: tx.delete("Note", row["id"]))

    events = log(store)

    assert [event.kind for event in events] == [
        ChangeKind.INSERT,
        ChangeKind.UPDATE,
        ChangeKind.UPDATE,
        ChangeKind.DELETE,
    ]
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert events[0].row == row
    assert events[1].row == {**row, "title": "b"}
    assert [event.before for event in events] == [
        None,
        None,
        {"ownerId": "u1", "done": None},
        {"ownerId": "u2", "done": None},
    ]
    assert events[3].row is None
    assert type(events[0].row["score"]) is float


def test_a_write_that_changes_nothing_is_not_logged(store: DataStore) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": "a"}))
    head = store.head()

    same = store.transact(lambda tx: tx.update("Note", row["id"], {"title": "a"}))
    empty = store.transact(lambda tx: tx.update("Note", row["id"], {}))

    assert same == empty == row
    assert store.head() == head


def test_work_that_raises_leaves_nothing(store: DataStore) -> None:
    def fail(tx: TxStore) -> None:
        tx.insert("Note", {"title": "ghost"})
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        store.transact(fail)
    store.transact(lambda tx: tx.insert("Note", {"title": "real"}))

    assert titles(store) == ["real"]
    assert [event.seq for event in log(store)] == [1]


def test_a_refused_write_inside_work_does_not_spoil_the_rest(store: DataStore) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "a", "slug": "s"})
        with pytest.raises(DataError):
            tx.insert("Note", {"title": "b", "slug": "s"})
        tx.insert("Note", {"title": "c"})

    store.transact(work)

    assert titles(store) == ["a", "c"]
    assert len(log(store)) == 2


def test_a_savepoint_undoes_its_body_alone(store: DataStore) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "kept"})
        with pytest.raises(LookupError), tx.savepoint():
            tx.insert("Note", {"title": "undone"})
            with tx.savepoint():
                tx.remember("u", "op", "x")
            raise LookupError
        assert tx.recall("u", "op") is None
        tx.insert("Note", {"title": "after"})

    store.transact(work)

    assert titles(store) == ["kept", "after"]
    assert [event.seq for event in log(store)] == [1, 2]


def test_work_sees_its_own_writes_and_others_do_not_until_commit(store: DataStore) -> None:
    seen: dict[str, Any] = {}

    def work(tx: TxStore) -> None:
        row = tx.insert("Note", {"title": "a"})
        seen["inside"] = tx.get("Note", row["id"])
        seen["outside"] = store.get("Note", row["id"])

    store.transact(work)

    assert seen["inside"] is not None
    assert seen["outside"] is None


def test_a_read_sees_one_state(store: DataStore) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "a"}))

    with store.read() as reader:
        before = reader.query("Note", Filter())
        store.transact(lambda tx: tx.insert("Note", {"title": "b"}))
        assert reader.query("Note", Filter()) == before

    assert titles(store) == ["a", "b"]


def test_a_transaction_within_a_transaction_is_refused(store: DataStore) -> None:
    def nested(tx: TxStore) -> None:
        tx.insert("Note", {"title": "outer"})
        store.transact(lambda inner: inner.insert("Note", {"title": "inner"}))

    with pytest.raises(DataError) as refused:
        store.transact(nested)

    assert refused.value.code == "NESTED_TRANSACTION"
    assert titles(store) == []


def test_an_operation_is_remembered_with_its_transaction_only(store: DataStore) -> None:
    def fail(tx: TxStore) -> None:
        tx.remember("u1", "op1", "r1")
        raise LookupError

    with pytest.raises(LookupError):
        store.transact(fail)
    assert store.transact(lambda tx: tx.recall("u1", "op1")) is None

    store.transact(lambda tx: tx.remember("u1", "op1", "r1"))
    assert store.transact(lambda tx: tx.recall("u1", "op1")) == "r1"
    assert store.transact(lambda tx: tx.recall("u2", "op1")) is None


def test_listeners_hear_each_commit_once_in_order_and_never_a_rollback(store: DataStore) -> None:
    heard: list[int] = []

    def listen(events: Sequence[ChangeEvent]) -> None:
        heard.extend(event.seq for event in events)

    def fail(tx: TxStore) -> None:
        tx.insert("Note", {"title": "ghost"})
        raise LookupError

    unsubscribe = store.subscribe(listen)
    threads = [
        threading.Thread(
            target=lambda: [store.transact(lambda tx: tx.insert("Note", {"title": "x"})) for _ in range(20)]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    with pytest.raises(LookupError):
        store.transact(fail)
    for thread in threads:
        thread.join()
    unsubscribe()
    store.transact(lambda tx: tx.insert("Note", {"title": "unheard"}))

    assert heard == list(range(1, 161))
    assert [event.seq for event in log(store)] == list(range(1, 162))
    assert store.head() == 161


def test_the_log_is_paged_by_cursor(store: DataStore) -> None:
    for number in range(5):
        store.transact(lambda tx, number=number: tx.insert("Note", {"title": str(number)}))  # type: ignore[misc]

    first = store.changes(0, 2)
    rest = store.changes(first.events[-1].seq, 10)

    assert ([event.seq for event in first.events], first.has_more, first.head) == ([1, 2], True, 5)
    assert ([event.seq for event in rest.events], rest.has_more) == ([3, 4, 5], False)
    assert store.changes(5, 10).events == []


def test_a_closed_store_refuses_and_closes_twice(store: DataStore) -> None:
    store.close()
    store.close()

    with pytest.raises(DataError) as refused:
        store.transact(lambda tx: tx.insert("Note", {"title": "late"}))

    assert refused.value.code == "NOT_AVAILABLE"
