"""A server with other read policies joins: those of before go on writing, so that what they log can be judged by
it, and tell nobody any more what is in a log that is not for their policies."""

import threading
from typing import Any

import pytest

from pylon_http import ChangeEvent, ChangeKind, DataError, DataStore
from tests.pylon_storage.postgres.rig import OpenStore, note
from tests.support.waiting import until

FIELDS = {"ownerId", "title", "slug", "rank", "score", "done", "due"}


def newest(store: DataStore) -> ChangeEvent:
    return store.changes(store.head() - 1, 10).events[-1]


def test_a_server_of_before_logs_whole_rows_as_they_were(open_store: OpenStore) -> None:
    old = open_store()
    row = old.transact(lambda tx: tx.insert("Note", {"title": "t", "ownerId": "ann", "rank": 1}))
    new = open_store(visibility="v2")

    old.transact(lambda tx: tx.update("Note", row["id"], {"rank": 2}))
    until(lambda: newest(new).kind is ChangeKind.UPDATE)
    update = newest(new)
    old.transact(lambda tx: tx.delete("Note", row["id"]))
    until(lambda: newest(new).kind is ChangeKind.DELETE)

    assert update.before is not None
    assert update.before.keys() == FIELDS
    assert update.before["rank"] == 1
    assert newest(new).before == {**update.before, "rank": 2}


@pytest.mark.parametrize("submitted", [False, True])
def test_a_transaction_that_began_before_the_new_one_came_is_no_exception(
    open_store: OpenStore, submitted: bool
) -> None:
    old = open_store()
    row = old.transact(note("t"))
    begun, may_end = threading.Event(), threading.Event()

    def work(tx: Any) -> None:
        tx.update("Note", row["id"], {"title": "other"})
        begun.set()
        may_end.wait(10)

    def run() -> None:
        if submitted:
            old.submit(work, lambda outcome: outcome.get())
            old.flush()
        else:
            old.transact(work)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(10)
    new = open_store(visibility="v2")
    may_end.set()
    thread.join(20)

    until(lambda: newest(new).kind is ChangeKind.UPDATE)
    (update,) = [event for event in new.changes(0, 100).events if event.kind is ChangeKind.UPDATE]
    assert update.before is not None
    assert update.before.keys() == FIELDS


def test_a_server_of_before_tells_nobody_of_the_new_log_until_it_is_for_its_policies_again(
    open_store: OpenStore,
) -> None:
    old = open_store()
    old.transact(note("of old"))
    told: list[ChangeEvent] = []
    turns: list[bool] = []
    old.subscribe(told.extend)
    old.on_log_turned(turns.append)

    new = open_store(visibility="v2")
    until(lambda: turns == [False])
    new.transact(note("by the new one"))
    old.transact(note("by the old one"))
    with pytest.raises(DataError) as refused:
        old.changes(0, 10)
    assert refused.value.code == "NOT_AVAILABLE"
    assert told == []

    new.close()
    again = open_store()
    until(lambda: turns == [False, True])
    again.transact(note("by the one of old again"))

    until(lambda: told and (told[-1].row or {})["title"] == "by the one of old again")
    assert [event.seq for event in told] == sorted({event.seq for event in told})
    assert old.changes(0, 10).head == again.head()
    before = len(told)
    old.transact(note("once more"))
    assert len(told) == before + 1


def test_servers_with_the_same_policies_do_not_disturb_each_other(open_store: OpenStore) -> None:
    one = open_store()
    turns: list[bool] = []
    one.on_log_turned(turns.append)
    row = one.transact(note("t"))
    two = open_store()
    one.transact(lambda tx: tx.update("Note", row["id"], {"title": "u"}))
    two.transact(lambda tx: tx.update("Note", row["id"], {"ownerId": "ann"}))

    befores = [event.before for event in two.changes(0, 10).events]
    assert befores == [None, None, {"ownerId": None}]
    assert turns == []
