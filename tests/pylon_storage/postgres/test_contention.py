"""Transactions that get in each other's way: as if one had run after the other, and each of them gets through."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from pylon_http import DataError, Filter, Outcome, RerunRefused, TxStore
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.rig import OpenStore, note

THREADS = 16
TIMES = 10


def in_parallel(count: int, work: Callable[[int], object]) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - it is raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def elsewhere(work: Callable[[], object]) -> None:
    """Do it on another thread, and wait."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def increment(row_id: str) -> Callable[[TxStore], None]:
    def work(tx: TxStore) -> None:
        row = tx.get("Note", row_id)
        assert row is not None
        tx.update("Note", row_id, {"rank": row["rank"] + 1})

    return work


def test_counting_in_two_processes_loses_nothing(open_store: OpenStore) -> None:
    stores = [open_store(), open_store()]
    row = stores[0].transact(lambda tx: tx.insert("Note", {"title": "counter", "rank": 0}))

    def count(number: int) -> None:
        for _ in range(TIMES):
            stores[number % 2].transact(increment(row["id"]))

    in_parallel(THREADS, count)

    counted = stores[0].get("Note", row["id"])
    assert counted is not None
    assert counted["rank"] == THREADS * TIMES
    ranks = [event.row["rank"] for event in stores[1].changes(0, 1000).events if event.row]
    assert ranks == list(range(THREADS * TIMES + 1))


def test_two_that_each_rely_on_what_the_other_changes_do_not_both_get_through(store: PostgresStore) -> None:
    """Write skew: under anything weaker than serializable the two would leave nobody on duty."""
    ids = [store.transact(lambda tx: tx.insert("Note", {"title": "doctor", "done": True}))["id"] for _ in "ab"]
    met = threading.Barrier(2, timeout=5)

    def leave(number: int) -> None:
        attempts = iter(range(100))

        def work(tx: TxStore) -> None:
            on_duty = sum(row["done"] for row in tx.query("Note", Filter()))
            if next(attempts) == 0:
                met.wait()
            if on_duty > 1:
                tx.update("Note", ids[number], {"done": False})

        store.transact(work)

    in_parallel(2, leave)

    with store.read() as reader:
        assert sum(row["done"] for row in reader.query("Note", Filter())) == 1


def test_work_that_catches_everything_still_cannot_commit_half(store: PostgresStore) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": "counter", "rank": 0}))
    attempts: list[int] = []

    def careless(tx: TxStore) -> None:
        attempts.append(1)
        note(f"attempt {len(attempts)}")(tx)
        tx.get("Note", row["id"])
        if len(attempts) == 1:
            elsewhere(lambda: store.transact(increment(row["id"])))
        with suppress(Exception):
            tx.update("Note", row["id"], {"title": "seen"})

    store.transact(careless)

    with store.read() as reader:
        assert sorted(row["title"] for row in reader.query("Note", Filter())) == ["attempt 2", "seen"]


def test_work_that_cannot_be_done_twice_says_so(store: PostgresStore) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": "counter", "rank": 0}))
    attempts: list[int] = []

    def once(tx: TxStore) -> None:
        if attempts:
            raise RerunRefused
        attempts.append(1)
        tx.get("Note", row["id"])
        elsewhere(lambda: store.transact(increment(row["id"])))
        tx.update("Note", row["id"], {"title": "mine"})

    with pytest.raises(DataError) as refused:
        store.transact(once)

    assert refused.value.code == "CONFLICT"
    assert store.get("Note", row["id"]) == {**row, "rank": 1}


def test_a_group_that_always_loses_is_done_job_by_job(store: PostgresStore) -> None:
    """A job whose every attempt is overtaken is refused by itself; the others of its group get through."""
    row = store.transact(lambda tx: tx.insert("Note", {"title": "counter", "rank": 0}))
    outcomes: dict[str, Outcome[object]] = {}

    def overtaken(tx: TxStore) -> None:
        tx.get("Note", row["id"])
        elsewhere(lambda: store.transact(increment(row["id"])))
        tx.update("Note", row["id"], {"title": "mine"})

    for name, work in {"a": note("a"), "b": overtaken, "c": note("c")}.items():
        store.submit(work, lambda outcome, name=name: outcomes.__setitem__(name, outcome))  # type: ignore[misc]
    while store.flush():
        pass

    with pytest.raises(DataError) as refused:
        outcomes["b"].get()
    assert refused.value.code == "CONFLICT"
    with store.read() as reader:
        assert [found["title"] for found in reader.query("Note", Filter())] == ["counter", "a", "c"]


def test_groups_and_transactions_side_by_side_count_right(store: PostgresStore) -> None:
    row = store.transact(lambda tx: tx.insert("Note", {"title": "counter", "rank": 0}))
    outcomes: list[Outcome[None]] = []

    def submit(_number: int) -> None:
        for _ in range(TIMES):
            store.submit(increment(row["id"]), outcomes.append)
            store.flush()

    def transact(_number: int) -> None:
        for _ in range(TIMES):
            store.transact(increment(row["id"]))

    in_parallel(8, lambda number: (submit, transact)[number % 2](number))
    while store.flush():
        pass

    for outcome in outcomes:
        outcome.get()
    counted = store.get("Note", row["id"])
    assert counted is not None
    assert counted["rank"] == 8 * TIMES
