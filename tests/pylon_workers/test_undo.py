"""What takes a transaction back where the database has none: in which order, how far, and in one batch."""

from typing import Any

import pytest

from pylon_http import DataError, TxStore
from pylon_workers import D1Store
from tests.pylon_workers.d1_store import MANIFEST, journal, open_store, rows, titles
from tests.support.d1 import LocalD1


def fail_after(*writes: Any) -> Any:
    def work(tx: TxStore) -> None:
        for write in writes:
            write(tx)
        raise LookupError("on purpose")

    return work


def test_writes_are_taken_back_last_first(store: D1Store) -> None:
    """Forwards, the unique value would be taken when its first owner gets it back."""
    store.transact(lambda tx: tx.insert("Note", {"title": "a", "slug": "s"}, "a"))
    before = rows(store)

    with pytest.raises(LookupError):
        store.transact(
            fail_after(
                lambda tx: tx.update("Note", "a", {"slug": None, "rank": 7}),
                lambda tx: tx.insert("Note", {"title": "b", "slug": "s"}, "b"),
                lambda tx: tx.update("Note", "b", {"slug": "t"}),
                lambda tx: tx.insert("Note", {"title": "c", "slug": "s"}, "c"),
                lambda tx: tx.delete("Note", "a"),
                lambda tx: tx.remember("u", "op", "a"),
            )
        )

    assert rows(store) == before
    assert store.transact(lambda tx: tx.recall("u", "op")) is None


def test_a_forgetting_is_taken_back_too(store: D1Store) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "a", "rank": 1}, "a"))
    store.transact(lambda tx: tx.update("Note", "a", {"rank": 2}))
    store.transact(lambda tx: tx.delete("Note", "a"))
    before = store.changes(0, 10).events

    with pytest.raises(LookupError):
        store.transact(fail_after(lambda tx: tx.forget({"Note": ["a"]})))
    assert store.changes(0, 10).events == before

    store.transact(lambda tx: tx.forget({"Note": ["a"]}))
    assert store.changes(0, 10).events != before


def test_the_whole_undoing_is_one_batch(store: D1Store, d1: LocalD1) -> None:
    with pytest.raises(LookupError):
        store.transact(fail_after(*(lambda tx, n=n: tx.insert("Note", {"title": str(n)}) for n in range(5))))

    assert [call for call, _ in d1.calls[-2:]] == ["query", "batch"]
    assert len(d1.calls[-1][1]) == 11  # five rows, five log entries, the journal
    assert journal(d1) == []


def test_a_write_is_one_batch_with_its_log_entry_and_its_undoing(store: D1Store, d1: LocalD1) -> None:
    d1.calls.clear()

    store.transact(lambda tx: tx.insert("Note", {"title": "a"}))

    assert [call for call, _ in d1.calls] == ["batch", "execute"]
    texts = [statement.text.split(" (")[0] for statement in d1.calls[0][1]]
    assert texts == [
        'INSERT INTO "Note"',
        "INSERT INTO _pylon_changes VALUES",
        "INSERT INTO _pylon_journal VALUES",
    ]


def test_work_that_writes_nothing_commits_nothing(store: D1Store, d1: LocalD1) -> None:
    d1.calls.clear()

    store.transact(lambda tx: tx.get("Note", "gone"))

    assert [call for call, _ in d1.calls] == ["query"]


def test_savepoints_in_savepoints_undo_as_far_as_they_reach(store: D1Store) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "kept"}, "kept")
        with pytest.raises(LookupError), tx.savepoint():
            tx.update("Note", "kept", {"title": "changed"})
            with tx.savepoint():
                tx.insert("Note", {"title": "inner"})
            with pytest.raises(KeyError), tx.savepoint():
                tx.delete("Note", "kept")
                raise KeyError
            assert tx.get("Note", "kept") is not None
            raise LookupError
        tx.insert("Note", {"title": "after"}, "later")

    heard: list[Any] = []
    store.subscribe(heard.extend)
    store.transact(work)

    assert titles(store) == ["kept", "after"]
    assert [(event.seq, event.row["title"]) for event in heard] == [(1, "kept"), (2, "after")]
    assert list(store.changes(0, 10).events) == heard


def test_a_write_after_an_undone_savepoint_can_itself_be_undone(store: D1Store) -> None:
    def work(tx: TxStore) -> None:
        tx.insert("Note", {"title": "first"})
        with pytest.raises(LookupError), tx.savepoint():
            tx.insert("Note", {"title": "undone"})
            raise LookupError
        tx.insert("Note", {"title": "second"})
        raise KeyError

    with pytest.raises(KeyError):
        store.transact(work)

    assert rows(store) == []
    assert store.changes(0, 10).events == []


def test_a_deleted_row_comes_back_with_what_only_an_older_manifest_knew(d1: LocalD1) -> None:
    open_store(d1)
    d1.execute('ALTER TABLE "Note" ADD COLUMN "formerly" INTEGER', ())
    store = open_store(d1)
    store.transact(lambda tx: tx.insert("Note", {"title": "a"}, "a"))
    d1.execute('UPDATE "Note" SET "formerly" = ?', (str(2**60 + 1),))

    with pytest.raises(LookupError):
        store.transact(fail_after(lambda tx: tx.delete("Note", "a")))

    assert d1.query('SELECT CAST("formerly" AS TEXT) FROM "Note"', ()) == [[str(2**60 + 1)]]


def test_a_log_entry_of_open_work_is_in_nobodys_page(store: D1Store) -> None:
    store.transact(lambda tx: tx.insert("Note", {"title": "committed"}))

    def work(tx: TxStore) -> Any:
        tx.insert("Note", {"title": "a"})
        return store.changes(0, 10), store.head()

    page, head = store.transact(work)

    assert ([event.seq for event in page.events], page.head, head) == ([1], 1, 1)
    assert store.head() == 2


def test_new_policies_start_a_new_log(d1: LocalD1) -> None:
    old = open_store(d1)
    old.transact(lambda tx: tx.insert("Note", {"title": "a"}, "a"))
    old.transact(lambda tx: tx.insert("Note", {"title": "b"}, "b"))
    old.transact(lambda tx: tx.delete("Note", "a"))

    renewed = open_store(d1, visibility="v2").changes(0, 10)

    assert [(event.kind, event.row_id) for event in renewed.events] == [("insert", "b")]
    assert renewed.floor > 3
    assert renewed.head == renewed.events[-1].seq > renewed.floor


def test_a_database_with_another_type_of_column_is_refused(d1: LocalD1) -> None:
    d1.execute('CREATE TABLE "Note" ("id" TEXT PRIMARY KEY, "title" INTEGER)', ())

    with pytest.raises(DataError) as refused:
        open_store(d1, MANIFEST)

    assert refused.value.code == "SCHEMA_INIT_FAILED"
