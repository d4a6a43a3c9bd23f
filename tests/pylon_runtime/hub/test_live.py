"""Live queries at the hub: who is told what, when the store is asked and by whom, what ends."""

import threading
import time
from functools import partial
from typing import Any

from pylon_http import ChangeEvent, ChangeKind, DataError
from pylon_runtime.hub.close_codes import INTERNAL_ERROR, SERVICE_RESTART
from tests.pylon_runtime.hub.live_rig import (
    ServerMaker,
    add,
    connected,
    delete,
    subscribed,
    titles,
    types,
    watched,
)
from tests.support.live_queries import WAIT_S, LiveServer
from tests.support.waiting import until

# Who is told what


def test_the_rows_come_first_and_then_what_changed(server: LiveServer) -> None:
    add(server, "a", rank=1)
    client = subscribed(server, order={"rank": "desc"})
    assert titles(client) == ["a"]

    add(server, "b", rank=2)
    server.settle()

    (message,) = client.take_told()
    assert message == {
        "type": "live-diff",
        "query": client.lists["q"].query,
        "seq": 2,
        "removed": [],
        "placed": [[0, {"id": "b", "ownerId": "alice", "title": "b", "rank": 2}]],
        "complete": True,
    }


def test_a_transaction_is_told_as_one(server: LiveServer) -> None:
    add(server, "a")
    client = subscribed(server)

    def work(tx: Any) -> None:
        tx.delete("Note", "a")
        for row_id in ("b", "c", "d"):
            tx.insert("Note", {"title": row_id, "ownerId": "alice"}, row_id)
        tx.delete("Note", "c")

    server.transact(work)
    server.settle()

    (message,) = client.take_told()
    assert message["removed"] == ["a"]
    assert titles(client) == ["b", "d"]


def test_what_is_of_no_concern_is_not_told(server: LiveServer) -> None:
    client = subscribed(server, where={"rank": 1})

    add(server, "of another", ownerId="bob", rank=1)
    add(server, "of another rank", rank=2)
    server.settle()

    assert client.take_told() == []


def test_a_row_that_changes_hands_leaves_one_list_and_enters_the_other(server: LiveServer) -> None:
    add(server, "a")
    alice, bob = subscribed(server), subscribed(server, "bob")

    server.transact(lambda tx: tx.update("Note", "a", {"ownerId": "bob"}))
    server.settle()

    assert (titles(alice), titles(bob)) == ([], ["a"])


def test_secret_fields_are_left_out_and_their_changes_are_not_told(server: LiveServer) -> None:
    add(server, "a", _mark="x")
    client = subscribed(server)

    server.transact(lambda tx: tx.update("Note", "a", {"_mark": "y"}))
    server.settle()

    assert client.rows("q") == [{"id": "a", "ownerId": "alice", "title": "a", "rank": None}]
    assert client.take_told() == []


def test_from_its_first_live_query_on_a_socket_is_off_the_change_feed(server: LiveServer) -> None:
    client = server.connect("alice")
    add(server, "a")
    server.settle()
    assert [message["kind"] for message in client.take_told()] == ["insert"]

    client.subscribe("q", "Note", where={"rank": 5})
    server.settle()
    add(server, "b")
    server.settle()

    assert types(client) == ["live-rows"]


def test_the_log_does_not_close_a_slow_reader_that_is_off_the_change_feed(make_server: ServerMaker) -> None:
    server = make_server(
        log_events_max=20, tick_s=0.02, live_query_bytes_max=1 << 30, live_queries_bytes_max=1 << 30
    )
    client = subscribed(server, limit=1_000)
    for number in range(30):
        add(server, f"n{number}")
    server.settle()

    add(server, "large", title="x" * 12_000_000)
    a_few_ticks_later = time.monotonic() + 0.3
    until(lambda: time.monotonic() > a_few_ticks_later, "some ticks")

    server.settle()
    assert len(client.rows("q")) == 31
    assert server.hub.stats().closed_for_lag == 0


def test_one_frame_serves_equal_readers_under_whatever_ids(server: LiveServer) -> None:
    one, other = subscribed(server, where={"rank": 1}), server.connect("alice")
    for query_id in ("x", "y"):
        other.subscribe(query_id, "Note", where={"rank": 1})
    server.settle()
    assert [message["id"] for message in other.take_told()] == ["x", "y"]

    add(server, "a", rank=1)
    server.settle()

    assert one.take_told() == (told := other.take_told())
    assert len(told) == 1
    assert titles(other, "x") == titles(other, "y") == ["a"]
    assert server.stats.groups == 1


def test_an_id_that_is_asked_again_means_the_new_query(server: LiveServer) -> None:
    client = subscribed(server, where={"rank": 1})

    client.subscribe("q", "Note", where={"rank": 2})
    server.settle()
    add(server, "a", rank=1)
    add(server, "b", rank=2)
    server.settle()

    assert types(client) == ["live-rows", "live-diff"]
    assert titles(client) == ["b"]
    assert server.stats.groups == 1


def test_who_unsubscribed_hears_nothing_more(server: LiveServer) -> None:
    client = subscribed(server)
    client.unsubscribe("q")
    client.unsubscribe("never there")
    server.settle()
    assert server.stats.groups == 0

    add(server, "a")
    server.settle()

    assert client.take_told() == []


def test_nothing_is_kept_for_sockets_that_ended(server: LiveServer) -> None:
    client = subscribed(server)
    client.subscribe("same", "Note")
    client.catch_up()

    server.let_go(client)

    until(lambda: server.stats.groups == 0, "the end of the query")


# When the store is asked, and by whom


def test_only_the_first_of_equal_queries_asks_the_store(server: LiveServer) -> None:
    subscribed(server)
    assert len(watched(server).readers) == 1

    for _ in range(3):
        subscribed(server)
    add(server, "a")
    server.settle()

    assert len(watched(server).readers) == 1


def test_a_window_that_ran_out_is_read_again_on_the_feeds_own_thread(make_server: ServerMaker) -> None:
    server = make_server(live_query_spare_min=1, live_query_spare_max=1)
    for number in range(6):
        add(server, f"n{number}")
    client = subscribed(server, limit=1)

    for number in range(3):
        server.transact(partial(delete, f"n{number}"))
        server.settle()
        assert titles(client) == [f"n{number + 1}"]

    _, *again = watched(server).readers
    assert len(again) == 3
    assert set(again) == {"hub-live-queries"}


def test_what_is_committed_while_the_rows_are_read_is_not_lost(server: LiveServer) -> None:
    add(server, "a")
    other = subscribed(server, where={"title": "unrelated"})
    store, client = watched(server), connected(server)
    store.has_read.acquire()
    store.may_end.clear()

    client.subscribe("q", "Note")
    assert store.has_read.acquire(timeout=WAIT_S)
    add(server, "b")
    server.transact(partial(delete, "a"))
    other.catch_up()
    store.may_end.set()
    server.settle()

    assert titles(client) == ["b"]
    assert types(client) == ["live-rows"]


def test_what_the_log_no_longer_holds_is_read_again(make_server: ServerMaker) -> None:
    server = make_server(log_events_max=2)
    subscribed(server, where={"title": "unrelated"})
    store, client = watched(server), connected(server)
    store.has_read.acquire()
    store.may_end.clear()

    client.subscribe("q", "Note")
    assert store.has_read.acquire(timeout=WAIT_S)
    for number in range(5):
        add(server, f"n{number}")
    server.clients[0].catch_up()
    store.may_end.set()
    server.settle()

    assert titles(client) == [f"n{number}" for number in range(5)]


def test_changes_that_were_gone_before_they_were_looked_at_are_read(make_server: ServerMaker) -> None:
    server = make_server(log_events_max=2)
    client = subscribed(server)

    def work(tx: Any) -> None:
        for number in range(5):
            tx.insert("Note", {"title": f"n{number}", "ownerId": "alice"}, f"n{number}")

    server.transact(work)
    server.settle()

    assert titles(client) == [f"n{number}" for number in range(5)]


def test_a_read_from_before_changes_that_are_gone_is_not_used(make_server: ServerMaker) -> None:
    server = make_server(log_bytes_max=1)
    store, client = watched(server), connected(server)
    store.may_end.clear()

    client.subscribe("q", "Note")
    assert store.has_read.acquire(timeout=WAIT_S)
    add(server, "a")
    for _ in range(2):
        server.hub.await_call(lambda: None)
    store.may_end.set()
    server.settle()

    assert titles(client) == ["a"]


# What fails, and what ends


def test_a_store_that_cannot_be_read_is_told_and_forgotten(server: LiveServer) -> None:
    watched(server).error = DataError("NOT_AVAILABLE", "The database is away.")
    client = server.connect("alice")

    client.subscribe("q", "Note")
    server.settle()
    assert client.errors == {"q": "NOT_AVAILABLE"}

    watched(server).error = None
    client.subscribe("q", "Note")
    server.settle()
    assert client.rows("q") == []


def test_a_failure_in_reading_again_ends_the_query_for_all(make_server: ServerMaker) -> None:
    server = make_server(live_query_spare_min=1, live_query_spare_max=1)
    for row_id in "abc":
        add(server, row_id)
    clients = [subscribed(server, limit=1), subscribed(server, limit=1)]
    watched(server).error = ZeroDivisionError()

    server.transact(partial(delete, "a"))
    server.settle()

    assert [client.errors for client in clients] == [{"q": "INTERNAL"}] * 2
    assert server.stats.groups == 0


def test_an_event_that_cannot_be_judged_closes_those_it_concerns_and_no_others(server: LiveServer) -> None:
    concerned, other = subscribed(server, where={"rank": {"$gt": 1}}), subscribed(server)
    row = {"id": "a", "ownerId": "alice", "title": "a", "rank": "no number"}

    server.publish(ChangeEvent(1, "Note", "a", ChangeKind.INSERT, row, None, 0))

    assert concerned.close_code() == INTERNAL_ERROR
    server.let_go(concerned)
    server.settle()
    assert titles(other) == ["a"]


def test_when_the_log_is_for_other_policies_everybody_has_to_come_back(server: LiveServer) -> None:
    client = subscribed(server)

    server.hub.turn(is_on=False)
    assert client.close_code() == SERVICE_RESTART
    server.let_go(client)
    assert server.stats.groups == 0

    server.hub.turn(is_on=True)
    add(server, "a")
    assert titles(subscribed(server)) == ["a"]


def test_the_feeds_thread_ends_with_it(server: LiveServer) -> None:
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("hub-live-queries") == 1

    server.live.start()
    for _ in range(2):
        server.live.stop(server.api.ctx.clock.monotonic() + WAIT_S)

    assert "hub-live-queries" not in [thread.name for thread in threading.enumerate()]
