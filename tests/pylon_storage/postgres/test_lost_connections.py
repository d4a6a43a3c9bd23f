"""Connections end, the server goes away and comes back: nobody waits long, nothing is done by halves."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from pylon_http import DataError, Filter, Outcome, TxStore
from pylon_storage.postgres import PostgresStore, follower
from pylon_storage.postgres.translate import is_lost
from tests.pylon_storage.postgres.cutting_proxy import CuttingProxy
from tests.pylon_storage.postgres.rig import OpenStore, Sql, end_backends, note, titles
from tests.support.postgres import PostgresServer, fresh_database, postgres_server
from tests.support.waiting import until

PATIENCE_S = 2.0
MARGIN_S = 1.5
"""For a machine that is busy."""


def test_connections_that_ended_while_idle_are_not_noticed(store: PostgresStore, url: str) -> None:
    row = store.transact(note("a"))
    end_backends(url)

    assert store.get("Note", row["id"]) == row
    end_backends(url)
    assert titles(store) == ["a"]
    end_backends(url)
    store.transact(note("b"))
    end_backends(url)
    assert len(store.changes(0, 10).events) == 2


def test_work_whose_connection_ends_is_done_again_from_its_start(store: PostgresStore, url: str) -> None:
    attempts = []

    def work(tx: TxStore) -> None:
        attempts.append(1)
        note(f"a{len(attempts)}")(tx)
        if len(attempts) == 1:
            end_backends(url)
        note(f"b{len(attempts)}")(tx)

    store.transact(work)

    assert titles(store) == ["a2", "b2"]
    assert [event.seq for event in store.changes(0, 10).events] == [1, 2]


def test_a_read_that_loses_its_connection_in_between_is_refused(store: PostgresStore, url: str) -> None:
    with pytest.raises(DataError) as refused, store.read() as reader:
        reader.query("Note", Filter())
        end_backends(url)
        reader.query("Note", Filter())

    assert (refused.value.code, refused.value.status) == ("NOT_AVAILABLE", 503)
    assert titles(store) == []


def test_submitted_work_survives_a_lost_connection(store: PostgresStore, url: str) -> None:
    outcomes: list[Outcome[object]] = []
    still_to_end = [True]

    def end_once(tx: TxStore) -> None:
        if still_to_end:
            still_to_end.clear()
            end_backends(url)

    for work in (note("a"), end_once, note("b")):
        store.submit(work, outcomes.append)
    while store.flush():
        pass

    assert titles(store) == ["a", "b"]
    for outcome in outcomes:
        outcome.get()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with postgres_server() as own:
        yield own


def test_while_the_server_is_away_everybody_hears_so_quickly(
    server: PostgresServer, open_store: OpenStore
) -> None:
    store = open_store(through=fresh_database(server))
    row = store.transact(note("a"))
    server.stop("immediate")

    for work in (
        lambda: store.get("Note", row["id"]),
        lambda: titles(store),
        lambda: store.transact(note("b")),
        lambda: store.changes(0, 10),
    ):
        begun = time.monotonic()
        with pytest.raises(DataError) as refused:
            work()
        assert (refused.value.code, refused.value.status) == ("NOT_AVAILABLE", 503)
        assert time.monotonic() - begun < PATIENCE_S + MARGIN_S

    until(lambda: not store.is_available)
    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(DataError):
            store.get("Note", row["id"])
    assert time.monotonic() - begun < 5 * 0.05 + MARGIN_S


def test_the_store_recovers_by_itself(server: PostgresServer, open_store: OpenStore) -> None:
    store = open_store(through=fresh_database(server))
    heard: list[int] = []
    store.subscribe(lambda events: heard.extend(event.seq for event in events))
    store.transact(note("a"))
    server.stop("immediate")
    until(lambda: not store.is_available)
    outcomes: list[Outcome[object]] = []
    store.submit(note("lost"), outcomes.append)
    store.flush()
    with pytest.raises(DataError):
        outcomes[0].get()

    server.start()

    until(lambda: store.is_available)
    store.transact(note("b"))
    assert titles(store) == ["a", "b"]
    assert len(heard) == 2


def test_a_server_that_is_away_at_the_start_is_said_so(server: PostgresServer, open_store: OpenStore) -> None:
    url = fresh_database(server)
    server.stop()

    with pytest.raises(DataError) as refused:
        open_store(through=url)

    assert refused.value.code == "NOT_AVAILABLE"


def test_work_beyond_the_connections_there_are_waits_for_its_turn(open_store: OpenStore) -> None:
    store = open_store(connections_max=2)
    threads = [threading.Thread(target=lambda: store.transact(note("x"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(titles(store)) == 12


def test_closing_leaves_no_thread_and_no_session(open_store: OpenStore, sql: Sql) -> None:
    before = set(threading.enumerate())
    for _ in range(5):
        store = open_store()
        store.transact(note("x"))
        store.close()
        store.close()

    until(lambda: set(threading.enumerate()) <= before)
    until(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == [(1,)])


def test_a_server_that_goes_silent_keeps_nobody_for_long(
    open_store: OpenStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(follower, "POLL_SECONDS", 0.3)
    with CuttingProxy(url) as wire:
        store = open_store(through=wire.url)
        row = store.transact(note("a"))
        wire.stall()
        begun = time.monotonic()
        with pytest.raises(DataError) as refused:
            store.get("Note", row["id"])
        assert refused.value.code == "NOT_AVAILABLE"
        assert time.monotonic() - begun < 0.6 + PATIENCE_S + 2 * MARGIN_S
        assert not store.is_available
        begun = time.monotonic()
        with pytest.raises(DataError):
            store.transact(note("never"))
        assert time.monotonic() - begun < MARGIN_S

        wire.go_on()
        until(lambda: store.is_available)
        assert store.get("Note", row["id"]) == row
        store.transact(note("b"))
        assert titles(store) == ["a", "b"]
        store.close()


def test_a_connection_that_failed_in_sending_is_lost_although_it_seems_open(url: str) -> None:
    with psycopg.connect(url) as connection:
        assert is_lost(connection, psycopg.OperationalError("flushing failed: could not send data to server"))
        with pytest.raises(psycopg.errors.QueryCanceled) as cancelled:
            connection.execute("SET statement_timeout = 1; SELECT pg_sleep(5)")
        assert not is_lost(connection, cancelled.value)
