"""Who waits for whom: long work leaves connections for the others, and who is locked out keeps nobody back."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from pylon_http import DataError, Outcome, TxStore
from pylon_storage.postgres import PostgresStore, committer, pool
from tests.pylon_storage.postgres.rig import OpenStore, note, titles
from tests.support.waiting import until


@contextmanager
def locking(url: str, row_id: str) -> Iterator[psycopg.Connection]:
    """Somebody's transaction has changed the row; it ends with the body, or before."""
    with psycopg.connect(url) as other:
        other.execute('UPDATE "Note" SET "rank" = 1 WHERE "id" = %s', (row_id,))
        yield other
        other.rollback()


def submit(store: PostgresStore, work: Callable[[Any], Any]) -> list[Outcome[Any]]:
    told: list[Outcome[Any]] = []
    store.submit(work, told.append)
    return told


def retitle(row_id: str, tx: TxStore) -> None:
    tx.update("Note", row_id, {"title": "never"})


@contextmanager
def flushing(store: PostgresStore) -> Iterator[None]:
    def flush() -> None:
        while store.flush():
            pass

    thread = threading.Thread(target=flush)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()


def test_long_work_leaves_connections_for_the_others(open_store: OpenStore) -> None:
    store = open_store(connections_max=4)
    row = store.transact(note("short"))
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(store.long_work(1))
            stack.enter_context(store.read()).get("Note", row["id"])

        with pytest.raises(DataError) as refused, store.long_work(0.05):
            pass

        assert (refused.value.code, refused.value.message) == (
            "NOT_AVAILABLE",
            "The database is busy. Try again soon.",
        )
        assert store.get("Note", row["id"]) == row
        store.transact(note("also short"))
        assert len(titles(store)) == 2
    with store.long_work(0):
        pass


def test_long_work_waits_for_a_place(open_store: OpenStore) -> None:
    store = open_store(connections_max=2)
    came = threading.Event()

    def second() -> None:
        with store.long_work(10):
            came.set()

    thread = threading.Thread(target=second)
    with store.long_work(0):
        thread.start()
        assert not came.wait(0.05)
    thread.join(10)
    assert came.is_set()


def test_who_finds_every_connection_lent_waits_and_is_told_that_it_is_busy(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.3)
    store = open_store(connections_max=1)
    row = store.transact(note("wanted"))
    with store.read() as reader:
        reader.get("Note", row["id"])
        begun = time.monotonic()
        with pytest.raises(DataError, match="busy"):
            store.get("Note", row["id"])
        assert time.monotonic() - begun > 0.25
        assert store.is_available
        found: list[Any] = []
        waiting = threading.Thread(target=lambda: found.append(store.get("Note", row["id"])))
        waiting.start()
    waiting.join(10)
    assert found == [row]


def test_submitted_work_that_is_locked_out_keeps_none_behind_it_waiting(store: PostgresStore, url: str) -> None:
    row = store.transact(note("contended"))
    with locking(url, row["id"]) as other:
        first = submit(store, note("before it"))
        locked_out = submit(store, lambda tx: tx.update("Note", row["id"], {"title": "changed at last"}))
        second = submit(store, note("behind it"))
        with flushing(store):
            until(lambda: first, seconds=3)
            third = submit(store, note("in the next group"))
            with flushing(store):
                until(lambda: second and third, seconds=8)
                assert [told[0].get()["title"] for told in (first, second, third)] == [
                    "before it",
                    "behind it",
                    "in the next group",
                ]
                assert [told.get() for told in locked_out] == []
                other.rollback()
    locked_out[0].get()
    assert sorted(titles(store)) == ["before it", "behind it", "changed at last", "in the next group"]


def test_submitted_work_that_stays_locked_out_is_told_to_try_again(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "PUT_OFF_SECONDS", 0.2)
    rows = [store.transact(note(f"{number}")) for number in range(3)]
    head = store.head()
    with ExitStack() as stack:
        for row in rows:
            stack.enter_context(locking(url, row["id"]))
        told = [submit(store, partial(retitle, row["id"])) for row in rows]
        begun = time.monotonic()
        while store.flush():
            pass
        assert time.monotonic() - begun < 5
    for (outcome,) in told:
        with pytest.raises(DataError) as refused:
            outcome.get()
        assert refused.value.code == "NOT_AVAILABLE"
    assert store.head() == head


def test_a_job_that_goes_on_after_it_was_locked_out_is_done_anew(store: PostgresStore, url: str) -> None:
    row = store.transact(note("contended"))

    attempts: list[Any] = []

    def stubborn(tx: Any) -> str:
        attempts.append(tx)
        try:
            tx.update("Note", row["id"], {"title": "changed"})
        except DataError:
            tx.insert("Note", {"title": "instead"})
        return "done"

    with locking(url, row["id"]) as other:
        told = submit(store, stubborn)
        with flushing(store):
            until(lambda: len(attempts) == 2, "the second attempt")
            other.rollback()
    assert told[0].get() == "done"
    assert titles(store) == ["changed"]
