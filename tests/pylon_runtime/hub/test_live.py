"""Live queries at the hub: who is told what, when the store is asked and by whom, what is refused, what ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from pylon_http import ChangeEvent, ChangeKind, DataError, DataStore, Reader, TxStore
from pylon_runtime.hub import HubLimits
from pylon_runtime.hub.close_codes import INTERNAL_ERROR, SERVICE_RESTART
from tests.strategies.documents import app, entity, field
from tests.support.data_api import IDENTITIES, OWNED, DataApi, optional, rules
from tests.support.live import WAIT_S, LiveClient, LiveServer, await_true

DOCUMENT = app(
    entities=[
        entity(
            "Note",
            fields=[
                optional("ownerId"),
                field("title"),
                optional("rank", "int"),
                optional("_mark"),
            ],
            search={"text": ["title"], "facets": [], "sortable": []},
        ),
        entity("Locked"),
    ],
    policies=[rules("Note", allow=OWNED), rules("Locked", allow="false")],
)

ServerMaker = Callable[..., LiveServer]


class WatchedStore:
    """The store; who reads is noted, and a read can be held up at its end, or fail."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self.readers: list[str] = []
        self.error: Exception | None = None
        self.has_read = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        self.readers.append(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        with self._store.read() as reader:
            yield reader
        self.has_read.release()
        assert self.may_end.wait(WAIT_S)


@pytest.fixture
def make_server() -> Iterator[ServerMaker]:
    servers: list[LiveServer] = []

    def make(**limits: Any) -> LiveServer:
        api = DataApi(DOCUMENT)
        api.reconfigure(store=WatchedStore(api.store))
        servers.append(LiveServer(api, IDENTITIES, limits=HubLimits(**limits)))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server: ServerMaker) -> LiveServer:
    return make_server()


def watched(server: LiveServer) -> WatchedStore:
    store = server.api.ctx.store
    assert isinstance(store, WatchedStore)
    return store


def add(server: LiveServer, row_id: str, **data: Any) -> None:
    server.api.add("Note", row_id, **{"ownerId": "alice", "title": row_id, **data})


def subscribed(server: LiveServer, name: str = "alice", **query: Any) -> LiveClient:
    """A client with the live query ``q``, and nothing else told so far."""
    client = server.connect(name)
    client.subscribe("q", "Note", **query)
    server.settle()
    assert "q" in client.lists, client.errors
    client.take_told()
    return client


def connected(server: LiveServer) -> LiveClient:
    """A client that has asked for nothing and taken the replay of the change feed."""
    client = server.connect("alice")
    server.settle()
    client.take_told()
    return client


def delete(row_id: str, tx: TxStore) -> None:
    tx.delete("Note", row_id)


def titles(client: LiveClient, query_id: str = "q") -> list[str]:
    return [row["title"] for row in client.rows(query_id)]


def types(client: LiveClient) -> list[str]:
    return [message["type"] for message in client.take_told()]


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

    await_true(lambda: server.stats.groups == 0, "the end of the query")


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


# What is refused


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"entity": "Nothing"}, "ENTITY_NOT_FOUND"),
        ({"entity": "Locked"}, "POLICY_DENIED"),
        ({"entity": None}, "INVALID_QUERY"),
        ({"where": {"colour": 1}}, "INVALID_COLUMN"),
        ({"where": {"_mark": "x"}}, "INVALID_COLUMN"),
        ({"order": {"_mark": "asc"}}, "INVALID_COLUMN"),
        ({"order": {"colour": "asc"}}, "INVALID_COLUMN"),
        ({"order": "rank"}, "INVALID_QUERY"),
        ({"where": []}, "INVALID_QUERY"),
        ({"where": {"$limit": 1}}, "INVALID_QUERY"),
        ({"where": {"$search": "a"}}, "INVALID_QUERY"),
        ({"where": {"$or": [{"rank": 1}, {"$search": "a"}]}}, "INVALID_QUERY"),
        ({"where": {"rank": "1"}}, "INVALID_QUERY"),
        ({"where": {"rank": {"$regex": "1"}}}, "INVALID_QUERY"),
        ({"limit": 0}, "INVALID_QUERY"),
        ({"limit": 1001}, "INVALID_QUERY"),
        ({"limit": "10"}, "INVALID_QUERY"),
    ],
    ids=repr,
)
def test_a_query_is_refused_by_its_id(server: LiveServer, query: dict[str, Any], code: str) -> None:
    client = server.connect("alice")

    client.subscribe("q", **{"entity": "Note", **query})
    server.settle()

    assert client.errors == {"q": code}
    assert server.stats.groups == 0


def test_equal_looking_values_are_not_one_query(server: LiveServer) -> None:
    """``1``, ``1.0`` and ``true`` are equal in Python."""
    add(server, "a", rank=1)
    assert titles(subscribed(server, where={"rank": 1})) == ["a"]
    assert titles(subscribed(server, where={"rank": 1.0})) == ["a"]

    client = server.connect("alice")
    client.subscribe("q", "Note", where={"rank": True})
    server.settle()

    assert client.errors == {"q": "INVALID_QUERY"}


def test_the_admin_may_ask_about_secret_fields_and_is_not_shown_them(server: LiveServer) -> None:
    add(server, "a", _mark="x")
    client = subscribed(server, "admin", where={"_mark": "x"})
    assert "_mark" not in client.rows("q")[0]

    server.transact(lambda tx: tx.update("Note", "a", {"_mark": "y"}))
    server.settle()

    assert client.rows("q") == []


def test_a_refused_query_ends_the_one_that_had_its_id(server: LiveServer) -> None:
    client = subscribed(server)

    client.subscribe("q", "Locked")
    server.settle()
    add(server, "a")
    server.settle()

    assert types(client) == ["live-error"]


@pytest.mark.parametrize("query_id", [None, "", 5, "x" * 65])
def test_what_has_no_proper_id_is_passed_over(server: LiveServer, query_id: Any) -> None:
    client = server.connect("alice")

    client.say({"type": "live-subscribe", "id": query_id, "entity": "Note"})
    client.say({"type": "live-unsubscribe", "id": query_id})
    server.settle()

    assert client.take_told() == []


def test_one_connection_has_so_many_queries(make_server: ServerMaker) -> None:
    server = make_server(live_queries_per_connection_max=2)
    client = server.connect("alice")
    for query_id in "abc":
        client.subscribe(query_id, "Note")
    server.settle()
    assert client.errors == {"c": "SUBSCRIBE_FAILED"}

    client.subscribe("a", "Note", where={"rank": 1})
    client.unsubscribe("b")
    client.subscribe("c", "Note")
    server.settle()

    assert client.errors == {}
    assert client.lists.keys() == {"a", "c"}


def test_the_server_has_so_many_different_queries(make_server: ServerMaker) -> None:
    server = make_server(live_queries_max=1)
    subscribed(server)

    client = server.connect("alice")
    client.subscribe("same", "Note")
    client.subscribe("other", "Note", where={"rank": 1})
    server.settle()

    assert client.lists.keys() == {"same"}
    assert client.errors == {"other": "NOT_AVAILABLE"}


def test_rows_that_are_too_large_are_refused_at_once_or_when_they_have_become_so(
    make_server: ServerMaker,
) -> None:
    server = make_server(live_query_bytes_max=20_000)
    client = subscribed(server)

    add(server, "large", title="x" * 8_000)
    server.settle()
    assert client.errors == {"q": "PAYLOAD_TOO_LARGE"}

    client.subscribe("again", "Note")
    server.settle()
    assert client.errors["again"] == "PAYLOAD_TOO_LARGE"
    assert server.stats.groups == 0


@pytest.mark.parametrize(("bytes_max", "length"), [(20_000, 1_000), (8_000, 1)], ids=["in text", "in memory"])
def test_large_rows_cost_spare_and_not_the_query(make_server: ServerMaker, bytes_max: int, length: int) -> None:
    server = make_server(live_query_bytes_max=bytes_max)
    for number in range(12):
        add(server, f"n{number}", rank=number, title="x" * length)
    client = subscribed(server, limit=2, order={"rank": "desc"})

    add(server, "new", rank=99)
    server.transact(partial(delete, "n11"))
    server.settle()

    assert [row["id"] for row in client.rows("q")] == ["new", "n10"]


def test_the_rows_of_all_queries_are_bounded_together(make_server: ServerMaker) -> None:
    server = make_server(live_queries_bytes_max=10_000)
    add(server, "a", rank=1, title="x" * 2_000)
    first = subscribed(server, where={"rank": 1})

    client = server.connect("alice")
    client.subscribe("second", "Note")
    server.settle()
    assert client.errors == {"second": "NOT_AVAILABLE"}

    add(server, "b", rank=1, title="x" * 2_000)
    server.settle()
    assert first.errors == {"q": "NOT_AVAILABLE"}


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
