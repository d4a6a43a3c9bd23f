"""Every process on a database tells its subscribers of every commit of any of them, once, in seq order."""

import threading
from collections.abc import Callable, Sequence

import pytest

from pylon_http import ChangeEvent, DataError, TxStore
from pylon_storage.postgres import PostgresStore
from pylon_storage.postgres.publication import Publication
from tests.pylon_storage.postgres.rig import Faults, OpenStore, Sql, end_backends, note
from tests.support.waiting import until


def ears(store: PostgresStore) -> list[int]:
    heard: list[int] = []
    store.subscribe(lambda events: heard.extend(event.seq for event in events))
    return heard


def logged(store: PostgresStore) -> list[int]:
    return [event.seq for event in store.changes(0, 100_000).events]


def write_from(stores: Sequence[PostgresStore], each: int, work: Callable[[], object] = lambda: None) -> None:
    def write(store: PostgresStore) -> None:
        for number in range(each):
            store.transact(note(str(number)))
            work()

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_an_event_of_another_process_comes_within_a_second(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    heard = ears(other)

    one.transact(note("a"))

    until(lambda: heard == [1], seconds=1.0)
    assert other.head() == 1


def test_ones_own_event_is_told_before_the_answer(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    heard = ears(one)
    for _ in range(10):
        other.transact(note("other's"))
        one.transact(note("own"))
        assert heard == logged(one)


def test_each_process_tells_all_events_once_in_order(open_store: OpenStore) -> None:
    stores = [open_store(), open_store()]
    heard = [ears(store) for store in stores]

    write_from(stores * 3, 25)

    entries = logged(stores[0])
    assert len(entries) == 150
    until(lambda: heard[0] == entries and heard[1] == entries)


def test_nothing_is_missed_or_told_twice_while_connections_end(open_store: OpenStore, url: str) -> None:
    stores = [open_store(), open_store()]
    heard = [ears(store) for store in stores]
    cuts = iter(range(1, 1000))

    def cut_now_and_then() -> None:
        if next(cuts) % 20 == 0:
            end_backends(url)

    write_from(stores * 2, 25, cut_now_and_then)

    entries = logged(stores[0])
    assert len(entries) == 100
    until(lambda: heard[0] == entries and heard[1] == entries)


def test_an_event_whose_process_died_before_telling_is_told_by_the_others(open_store: OpenStore) -> None:
    def die() -> None:
        raise SystemExit

    dying, other = open_store(faults=Faults("store.before_publish", die)), open_store()
    heard, late = ears(other), ears(dying)

    with pytest.raises(SystemExit):
        dying.transact(note("a"))

    until(lambda: heard == [1], seconds=1.0)
    until(lambda: late == [1])


def test_a_lost_notification_delays_an_event_and_loses_none(open_store: OpenStore, sql: Sql) -> None:
    store = open_store()
    heard = ears(store)

    sql(
        "INSERT INTO _pylon_changes VALUES"
        " (nextval('_pylon_changes_seq'), 'Note', 'x', 'delete', NULL, NULL, 0, NULL)"
    )

    until(lambda: heard == [1])


def test_what_is_rolled_back_is_never_told(open_store: OpenStore) -> None:
    store = open_store()
    heard = ears(store)

    def fail(tx: TxStore) -> None:
        note("ghost")(tx)
        raise LookupError

    with pytest.raises(LookupError):
        store.transact(fail)
    store.transact(note("a"))

    assert heard == [1]


def test_notices_reach_the_other_processes_and_not_their_own(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    heard: list[tuple[str, str | None]] = []
    one.tables.on_notice("greeting", lambda text: heard.append(("one", text)))
    other.tables.on_notice("greeting", lambda text: heard.append(("other", text)))
    other.tables.on_notice("else", lambda text: heard.append(("else", text)))

    one.tables.write(lambda statements: statements.notify("greeting", "hello there"))

    until(lambda: ("other", "hello there") in heard, seconds=1.0)
    assert [who for who, text in heard if text] == ["other"]


def test_notices_that_may_have_been_missed_are_said_to_be(open_store: OpenStore, url: str) -> None:
    store = open_store()
    heard: list[str | None] = []
    store.tables.on_notice("greeting", heard.append)
    heard.clear()

    end_backends(url)

    until(lambda: None in heard)


def event(seq: int) -> ChangeEvent:
    return ChangeEvent(seq, "Note", str(seq), "insert", {}, None, 0)  # type: ignore[arg-type]


def test_events_in_hand_are_told_without_reading_the_log() -> None:
    told: list[int] = []

    def read(since: int, limit: int) -> list[ChangeEvent]:
        raise AssertionError("the log was read")

    publication = Publication(read, lambda events: told.extend(event.seq for event in events), 5)
    publication.hand_over([event(6), event(7)])
    publication.hand_over([event(8)])

    assert told == [6, 7, 8]
    assert publication.head == 8


def test_a_log_that_cannot_be_read_delays_and_loses_nothing() -> None:
    told: list[int] = []
    readable = False

    def read(since: int, limit: int) -> list[ChangeEvent]:
        if not readable:
            raise DataError("NOT_AVAILABLE", "away")
        return [event(seq) for seq in range(since + 1, 10)]

    publication = Publication(read, lambda events: told.extend(event.seq for event in events), 0)
    publication.hand_over([event(5)])
    assert told == []

    readable = True
    publication.reach(9)

    assert told == list(range(1, 10))


def test_who_has_not_read_the_log_before_it_was_compacted_says_so(open_store: OpenStore, sql: Sql) -> None:
    """What is missing were a socket's events, or what they added to documents."""
    one, other = open_store(), open_store()
    turns: list[bool] = []
    other.on_log_turned(turns.append)
    heard = ears(other)
    one.transact(note("a"))
    until(lambda: heard == [1])
    assert turns == []

    sql("INSERT INTO _pylon_meta VALUES ('compacted_to', '2')")
    one.transact(note("b"))

    until(lambda: heard == [1, 2])
    assert turns == [False, True]
