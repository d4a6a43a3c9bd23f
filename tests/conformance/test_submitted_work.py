"""Work that nobody waits for: submitted, committed together by whoever flushes, each owner told its outcome."""

import threading
from typing import Any

import pytest

from pylon_http import DataError, DataStore, Filter, Outcome, TxStore


def insert(title: str) -> Any:
    return lambda tx: tx.insert("Note", {"title": title})


def titles(store: DataStore) -> list[str]:
    with store.read() as reader:
        return [row["title"] for row in reader.query("Note", Filter())]


def fail(tx: TxStore) -> None:
    tx.insert("Note", {"title": "ghost"})
    raise LookupError("on purpose")


def test_nothing_happens_before_somebody_flushes_and_then_all_of_it(store: DataStore) -> None:
    outcomes: list[Outcome[Any]] = []
    commits: list[int] = []
    store.subscribe(lambda events: commits.append(len(events)))
    for title in ("a", "b", "c"):
        store.submit(insert(title), outcomes.append)
    assert (titles(store), outcomes) == ([], [])

    assert store.flush() is True
    while store.flush():  # a slow machine may end a group early
        pass

    assert titles(store) == ["a", "b", "c"]
    assert [outcome.get()["title"] for outcome in outcomes] == ["a", "b", "c"]
    assert sum(commits) == 3


def test_each_owner_is_told_its_own_outcome(store: DataStore) -> None:
    outcomes: list[Outcome[Any]] = []
    store.submit(insert("a"), outcomes.append)
    store.submit(fail, outcomes.append)
    store.submit(insert("b"), outcomes.append)

    while store.flush():  # a slow machine may end a group early
        pass

    assert outcomes[0].get()["title"] == "a"
    with pytest.raises(LookupError, match="on purpose"):
        outcomes[1].get()
    assert titles(store) == ["a", "b"]
    assert store.head() == 2


def test_a_thread_that_waits_takes_what_was_submitted_along(store: DataStore) -> None:
    outcomes: list[Outcome[Any]] = []
    store.submit(insert("a"), outcomes.append)

    store.transact(insert("b"))

    assert titles(store) == ["a", "b"]
    assert outcomes[0].get()["title"] == "a"


def test_more_work_than_fits_one_group_leaves_nobody_waiting(store: DataStore) -> None:
    outcomes: list[Outcome[Any]] = []
    store.on_left_over(lambda: threading.Thread(target=store.flush).start())
    for number in range(1_000):
        store.submit(insert(str(number)), outcomes.append)

    row = store.transact(insert("last"))

    assert store.get("Note", row["id"]) is not None
    assert len(outcomes) == 1_000
    assert len(titles(store)) == 1_001


def test_submitting_and_waiting_threads_together_lose_and_double_nothing(store: DataStore) -> None:
    done, submitted = threading.Semaphore(0), 200
    store.on_left_over(lambda: threading.Thread(target=store.flush).start())

    def submit() -> None:
        for number in range(submitted):
            store.submit(insert(f"s{number}"), lambda _outcome: done.release())
            if number % 7 == 0:
                store.flush()

    def transact() -> None:
        for number in range(100):
            store.transact(insert(f"t{number}"))

    threads = [threading.Thread(target=work) for work in (submit, submit, transact, transact)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    store.flush()

    for _ in range(2 * submitted):
        assert done.acquire(timeout=10)
    assert len(titles(store)) == store.head() == 2 * submitted + 200


def test_closing_does_what_was_submitted_and_refuses_more(store: DataStore) -> None:
    outcomes: list[Outcome[Any]] = []
    store.submit(insert("a"), outcomes.append)

    store.close()

    assert outcomes[0].get()["title"] == "a"
    with pytest.raises(DataError) as refused:
        store.submit(insert("b"), outcomes.append)
    assert refused.value.code == "NOT_AVAILABLE"
    assert len(outcomes) == 1
