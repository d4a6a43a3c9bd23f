"""The connection goes away around COMMIT: what was acknowledged is there once, what is not there is done again."""

import threading
from typing import Any

import pytest

from pylon_core.clock import SystemClock
from pylon_http import ChangeKind, DataError, TxStore
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.cutting_proxy import CuttingProxy
from tests.pylon_storage.postgres.rig import Faults, OpenStore, Sql, end_backends, note, titles
from tests.support.waiting import until


def test_lost_before_commit_it_is_done_again(url: str, open_store: OpenStore) -> None:
    faults = Faults("store.before_commit", lambda: end_backends(url))
    store = open_store(faults=faults)
    heard: list[int] = []
    store.subscribe(lambda events: heard.extend(event.seq for event in events))

    store.transact(note("a"))

    assert faults.acted
    assert titles(store) == ["a"]
    assert heard == [event.seq for event in store.changes(0, 10).events]


def test_lost_after_commit_it_is_not_done_again(url: str, open_store: OpenStore) -> None:
    faults = Faults("store.after_commit", lambda: end_backends(url))
    store = open_store(faults=faults)

    store.transact(note("a"))

    assert faults.acted
    assert titles(store) == ["a"]


def test_when_the_answer_to_commit_is_lost_the_transaction_is_asked_for(url: str, open_store: OpenStore) -> None:
    """The commit arrives and its answer does not: acknowledged once, published once, not repeated."""
    with CuttingProxy(url) as proxy:
        faults = Faults("store.before_commit", proxy.swallow_answers)
        store = open_store(faults=faults, through=proxy.url)
        heard: list[int] = []
        store.subscribe(lambda events: heard.extend(event.seq for event in events))
        attempts: list[int] = []

        def work(tx: TxStore) -> dict[str, Any]:
            attempts.append(1)
            return note("a")(tx)

        row = store.transact(work)

        assert faults.acted
        assert len(attempts) == 1
        assert store.get("Note", row["id"]) == row
        until(lambda: heard == [1])
        assert titles(store) == ["a"]
        store.close()


def test_when_nobody_can_tell_the_caller_is_told_so(url: str, open_store: OpenStore) -> None:
    with CuttingProxy(url) as proxy:
        faults = Faults("store.before_commit", proxy.cut_for_good)
        store = open_store(faults=faults, through=proxy.url)

        with pytest.raises(DataError) as unknown:
            store.transact(note("a"))

        assert unknown.value.code == "COMMIT_FAILED"
        store.close()


def test_lost_at_any_moment_under_load_each_is_stored_exactly_once(url: str, open_store: OpenStore) -> None:
    store = open_store()
    stop = threading.Event()
    acknowledged: list[str] = []

    def write(name: str) -> None:
        for number in range(40):
            store.transact(note(f"{name}{number}"))
            acknowledged.append(f"{name}{number}")

    def cut() -> None:
        while not stop.wait(0.05):
            end_backends(url)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    cutter = threading.Thread(target=cut)
    for thread in (*writers, cutter):
        thread.start()
    for writer in writers:
        writer.join(60)
    stop.set()
    cutter.join()

    assert sorted(titles(store)) == sorted(acknowledged)
    assert len(acknowledged) == 160


def test_an_id_that_a_crash_took_back_is_of_a_transaction_that_did_not_happen(
    store: PostgresStore, sql: Sql
) -> None:
    """Postgres gives it to others afterwards, who then are not taken for us."""
    row = store.transact(note("ours"))
    ((xid,),) = sql("SELECT xmin::text FROM _pylon_changes")
    outcome = store._runner._outcome

    assert outcome("4000000000", None, 0) == "aborted"
    assert outcome(str(xid), ("Note", row["id"], ChangeKind.INSERT, row, None, None), 0) == "committed"
    assert outcome(str(xid), ("Note", "another", ChangeKind.INSERT, row, None, None), 0) is None


def test_of_a_transaction_without_an_entry_nobody_can_tell_when_there_may_have_been_a_crash_since(
    store: PostgresStore, sql: Sql
) -> None:
    """Recovery ends with a checkpoint; what committed under the id may be another one since."""
    store.transact(note("ours"))
    ((xid,),) = sql("SELECT xmin::text FROM _pylon_changes")
    begun = SystemClock().monotonic()
    sql("CHECKPOINT")

    outcomes = [store._runner._outcome(str(xid), None, moment) for moment in (begun, begun + 3600)]

    assert outcomes == [None, "committed"]
