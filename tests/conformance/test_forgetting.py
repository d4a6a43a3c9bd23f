"""What every adapter's change log still tells of rows that were deleted and are to be forgotten."""

from contextlib import suppress
from typing import Any

import pytest

from pylon_http import ChangeEvent, ChangeKind, DataStore


def insert(store: DataStore, row_id: str, **data: Any) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": f"secret of {row_id}", **data}, row_id))


def update(store: DataStore, row_id: str, **patch: Any) -> None:
    store.transact(lambda tx: tx.update("Note", row_id, patch))


def delete_and_forget(store: DataStore, *row_ids: str) -> None:
    def work(tx: Any) -> None:
        for row_id in row_ids:
            tx.delete("Note", row_id)
        tx.forget({"Note": row_ids})

    store.transact(work)


def log_of(store: DataStore, row_id: str) -> list[ChangeEvent]:
    return [event for event in store.changes(0, 1_000).events if event.row_id == row_id]


def test_only_its_end_is_left_of_a_forgotten_row(store: DataStore) -> None:
    insert(store, "a", ownerId="ann")
    update(store, "a", title="another secret")

    delete_and_forget(store, "a")

    (end,) = log_of(store, "a")
    assert end.kind is ChangeKind.DELETE
    assert end.row is None
    assert end.before is not None
    assert end.before["ownerId"] == "ann"
    assert store.head() == end.seq


def test_who_lost_sight_of_the_row_before_still_hears_of_it(store: DataStore) -> None:
    insert(store, "a", ownerId="ann")
    update(store, "a", ownerId="bob")
    moved = store.head()

    delete_and_forget(store, "a")

    move, end = log_of(store, "a")
    assert (move.seq, move.kind, move.row) == (moved, ChangeKind.DELETE, None)
    assert move.before is not None
    assert move.before["ownerId"] == "ann"
    assert end.before is not None
    assert end.before["ownerId"] == "bob"


def test_other_rows_keep_their_entries(store: DataStore) -> None:
    insert(store, "a")
    insert(store, "b")
    store.transact(lambda tx: tx.insert("Order", {"group": "g"}, "a"))
    kept = [event for event in store.changes(0, 10).events if (event.entity, event.row_id) != ("Note", "a")]

    delete_and_forget(store, "a")

    assert list(store.changes(0, 10).events[:-1]) == kept


def test_forgetting_is_undone_with_its_transaction(store: DataStore) -> None:
    insert(store, "a")
    before = log_of(store, "a")

    class _ChangedMindError(Exception):
        pass

    def work(tx: Any) -> None:
        tx.delete("Note", "a")
        tx.forget({"Note": ["a"]})
        raise _ChangedMindError

    with pytest.raises(_ChangedMindError):
        store.transact(work)

    assert log_of(store, "a") == before


def test_rows_that_came_and_went_in_the_same_transaction_are_forgotten_too(store: DataStore) -> None:
    def work(tx: Any) -> None:
        tx.insert("Note", {"title": "secret"}, "a")
        tx.insert("Note", {"title": "kept"}, "b")
        tx.update("Note", "a", {"ownerId": "ann"})
        tx.delete("Note", "a")
        tx.forget({"Note": ["a"]})
        tx.insert("Note", {"title": "another life"}, "a")

    store.transact(work)

    kept = log_of(store, "a")
    assert [event.kind for event in kept] == [ChangeKind.DELETE, ChangeKind.DELETE, ChangeKind.INSERT]
    assert [event.row and event.row["title"] for event in kept] == [None, None, "another life"]
    assert [event.row and event.row["title"] for event in log_of(store, "b")] == ["kept"]


def test_forgetting_is_undone_with_its_savepoint(store: DataStore) -> None:
    class _ChangedMindError(Exception):
        pass

    def work(tx: Any) -> None:
        tx.insert("Note", {"title": "kept"}, "a")
        with suppress(_ChangedMindError), tx.savepoint():
            tx.delete("Note", "a")
            tx.forget({"Note": ["a"]})
            raise _ChangedMindError

    store.transact(work)

    assert [event.row and event.row["title"] for event in log_of(store, "a")] == ["kept"]


def test_forgetting_nothing_is_fine(store: DataStore) -> None:
    store.transact(lambda tx: tx.forget({}))
    store.transact(lambda tx: tx.forget({"Note": []}))

    assert store.head() == 0
