"""What compaction leaves of the change log, and what it must not touch, on every engine that has it.

Entries are spelled ``I`` insert, ``U`` update, ``M`` an update that moved somebody's sight of the row, ``D``
delete, each with the id of its row.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from pylon_http import ChangeEvent, DataError, DataStore, TxStore
from pylon_storage.compaction import GROWTH_MIN, Compactor
from pylon_storage.operations import OperationSweeper
from pylon_storage.upkeep import Upkeep
from tests.conformance.conftest import ADAPTERS, MANIFEST
from tests.support import compacting
from tests.support.compacting import DAY_S, RETENTION_S, Later

COMPACTED = [name for name in ADAPTERS if name != "d1"]
"""The experimental store keeps its whole log."""


class Store(DataStore, Protocol):
    @property
    def upkeep(self) -> Upkeep: ...


@pytest.fixture(params=COMPACTED)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = ADAPTERS[request.param](MANIFEST, tmp_path)
    yield opened  # type: ignore[misc]  # each of these has an upkeep
    opened.close()


def compactor(store: Store, after_s: float, *, settling_s: float = 0.0, batch_entries: int = 250) -> Compactor:
    return Compactor(store.upkeep, Later(after_s), RETENTION_S, settling_s, batch_entries)


def compact(store: Store, after_s: float = 60.0, *, settling_s: float = 0.0) -> None:
    compacting.compact(store.upkeep, after_s, settling_s=settling_s)


def write(store: Store, steps: str) -> None:
    """``Ia Ub`` inserts the row a and then updates the row b, each in a transaction of its own."""
    for number, step in enumerate(steps.split()):
        kind, row_id = step[0], step[1:]
        work: Callable[[TxStore], Any] = {
            "I": lambda tx: tx.insert("Note", {"title": "new", "ownerId": "ann"}, row_id),  # noqa: B023 - done at once
            "U": lambda tx: tx.update("Note", row_id, {"title": f"title {number}"}),  # noqa: B023
            "M": lambda tx: tx.update("Note", row_id, {"ownerId": f"owner {number}"}),  # noqa: B023
            "D": lambda tx: tx.delete("Note", row_id),  # noqa: B023
        }[kind]
        store.transact(work)


def spelled(event: ChangeEvent) -> str:
    if event.row is None:
        return f"D{event.row_id}"
    return ("I" if event.kind == "insert" else "U" if event.before is None else "M") + event.row_id


def log_of(store: Store) -> list[str]:
    return [spelled(event) for event in store.changes(0, 10_000).events]


def floor(store: Store) -> int:
    return store.changes(0, 1).floor


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ("Ia", "Ia"),
        ("Ia Ua", "Ua"),
        ("Ia Ua Ua Ua", "Ua"),
        ("Ia Ib Ua Ub Ua", "Ub Ua"),
        ("Ia Ma", "Ma"),
        ("Ia Ma Ua", "Ma Ua"),
        ("Ia Ua Ma Ua Ua Ma Ua", "Ma Ma Ua"),
        ("Ia Da", "Da"),
        ("Ia Ua Da", "Da"),
        ("Ia Ma Da", "Ma Da"),
        ("Ia Da Ia", "Da Ia"),
        ("Ia Da Ia Ua", "Da Ua"),
        ("Ia Da Ia Ma Da Ia Ua Ib", "Da Ma Da Ua Ib"),
    ],
)
def test_what_a_later_entry_of_the_row_makes_redundant_is_dropped(store: Store, steps: str, left: str) -> None:
    write(store, steps)
    head = store.head()

    compact(store)

    assert " ".join(log_of(store)) == left
    assert (floor(store), store.head()) == (0, head), "every cursor is still served"


@pytest.mark.parametrize(
    ("steps", "left", "needed"),
    [
        ("Ia", "Ia", 0),
        ("Ia Ua", "Ua", 0),
        ("Ia Ma", "Ua", 2),
        ("Ia Ma Ua", "Ua", 2),
        ("Ia Da", "", 2),
        ("Ia Da Ia", "Ia", 2),
        ("Ia Da Ia Ib Ub", "Ia Ub", 2),
        ("Ia Ib Da Mb Ic", "Ub Ic", 4),
        ("Ia Ma Da", "", 3),
    ],
)
def test_after_the_retention_only_the_rows_there_are_are_left(
    store: Store, steps: str, left: str, needed: int
) -> None:
    write(store, steps)
    head = store.head()

    compact(store, RETENTION_S + 60)

    assert " ".join(log_of(store)) == left
    assert (floor(store), store.head()) == (needed, head)


def test_rows_stay_what_they_are(store: Store) -> None:
    write(store, "Ia Ma Ub Ib Ua")
    before = {event.row_id: event.row for event in store.changes(0, 10).events}

    compact(store, RETENTION_S + 60)

    assert {event.row_id: event.row for event in store.changes(0, 10).events} == before


def test_entries_of_equal_ids_in_two_entities_are_of_two_rows(store: Store) -> None:
    write(store, "Ia")
    store.transact(lambda tx: tx.insert("Order", {"group": "g"}, "a"))

    compact(store)

    assert [event.entity for event in store.changes(0, 10).events] == ["Note", "Order"]


def test_what_has_not_settled_is_left_alone(store: Store) -> None:
    write(store, "Ia Ua Ua Da")

    compact(store, 599.0, settling_s=600.0)
    assert log_of(store) == ["Ia", "Ua", "Ua", "Da"]

    compact(store, 660.0, settling_s=600.0)
    assert log_of(store) == ["Da"]


def test_compacting_twice_changes_nothing_more(store: Store) -> None:
    write(store, "Ia Ma Ib Db Ua")
    compact(store, RETENTION_S + 60)
    left, lowest = log_of(store), floor(store)

    compact(store, RETENTION_S + 60)

    assert (log_of(store), floor(store)) == (left, lowest)


def test_an_empty_log_is_compact(store: Store) -> None:
    compact(store, RETENTION_S + 60)

    assert (log_of(store), floor(store), store.head()) == ([], 0, 0)


def test_seqs_go_on_after_the_newest_entry_was_dropped(store: Store) -> None:
    write(store, "Ia Da")
    compact(store, RETENTION_S + 60)

    write(store, "Ib")

    (event,) = store.changes(store.head() - 1, 10).events
    assert event.seq == 3


def test_others_write_between_two_steps_and_lose_nothing(store: Store) -> None:
    write(store, " ".join(f"I{name} M{name} U{name}" for name in "abcdef"))
    steps = compactor(store, RETENTION_S + 60, batch_entries=3).run()
    next(steps)
    write(store, "Da Ug Ig Mb Ub Uf")

    count = sum(1 for _ in steps)

    assert count == 4, "12 outdated entries, 3 at a time"
    assert log_of(store) == ["Ua", "Ub", "Uc", "Ud", "Ue", "Uf", "Da", "Ig", "Mb", "Ub", "Uf"]


def test_one_that_is_given_up_leaves_a_log_that_can_be_read(store: Store) -> None:
    """The entries of a row go in the order of their seqs, or one of before its owner changed would be left."""
    write(store, " ".join(f"I{name} M{name} U{name}" for name in "abcdef"))
    steps = compactor(store, RETENTION_S + 60, batch_entries=3).run()
    next(steps)
    next(steps)

    steps.close()

    assert log_of(store) == ["Ua", "Mb", "Ub", *(f"{kind}{name}" for name in "cdef" for kind in "IMU")]
    assert floor(store) == 2
    compact(store, RETENTION_S + 60)
    assert log_of(store) == [f"U{name}" for name in "abcdef"]


def test_a_row_that_is_forgotten_meanwhile_keeps_what_ends_it(store: Store) -> None:
    write(store, "Ia Ma")
    steps = compactor(store, RETENTION_S + 60).run()
    next(steps)

    def forget(tx: TxStore) -> None:
        tx.delete("Note", "a")
        tx.forget({"Note": ["a"]})

    store.transact(forget)
    list(steps)

    events = store.changes(0, 10).events
    assert [event.row for event in events] == [None, None]
    assert all(event.before is not None for event in events)


def test_only_one_compacts_at_a_time(store: Store) -> None:
    write(store, "Ia Ua")
    first = compactor(store, 60).run()
    next(first)

    assert list(compactor(store, 60).run()) == []
    first.close()
    assert len(list(compactor(store, 60).run())) == 2


def test_it_is_due_when_a_good_part_of_the_log_is_new(store: Store) -> None:
    def fill(tx: TxStore) -> None:
        for _ in range(GROWTH_MIN):
            tx.insert("Note", {"title": "new"})

    def is_due(after_s: float) -> bool:
        return compactor(store, after_s, settling_s=600).is_due()

    assert not is_due(660)
    store.transact(fill)
    assert not is_due(60), "nothing has settled"
    assert is_due(660)

    compact(store, 660, settling_s=600)
    assert not is_due(660)
    assert is_due(RETENTION_S + 60), "as much has expired"
    compact(store, RETENTION_S + 60, settling_s=600)
    assert not is_due(RETENTION_S + 60)


def test_a_long_statement_of_a_survey_ends_when_it_is_told_to(store: Store) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    refused: list[str] = []

    def survey() -> None:
        with store.upkeep.surveying() as statements:
            assert statements is not None
            try:
                statements.all(endless)
            except DataError as error:
                refused.append(error.code)

    thread = threading.Thread(target=survey)
    thread.start()
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        store.upkeep.interrupt()
        thread.join(0.05)

    assert len(refused) == 1
    write(store, "Ia Ua")
    compact(store)
    assert log_of(store) == ["Ua"]


def remember(store: Store, *op_ids: str) -> None:
    def work(tx: TxStore) -> None:
        for op_id in op_ids:
            tx.remember("scope", op_id, "row")

    store.transact(work)


def known(store: Store, *op_ids: str) -> list[str]:
    return store.transact(lambda tx: [op_id for op_id in op_ids if tx.recall("scope", op_id)])


def sweep(store: Store, after_s: float) -> None:
    for _ in OperationSweeper(store.upkeep, Later(after_s), RETENTION_S).run():
        pass


def test_op_ids_are_known_for_the_retention_and_not_for_ever(store: Store) -> None:
    op_ids = [f"op{number:04}" for number in range(2_500)]
    remember(store, *op_ids)

    sweep(store, RETENTION_S - 60)
    assert known(store, *op_ids) == op_ids

    sweep(store, RETENTION_S + 60)
    assert known(store, *op_ids) == []


def test_op_ids_are_swept_once_a_day(store: Store) -> None:
    def is_due(after_s: float) -> bool:
        return OperationSweeper(store.upkeep, Later(after_s), RETENTION_S).is_due()

    assert is_due(0)
    sweep(store, 0)
    assert not is_due(0.9 * DAY_S)
    assert is_due(1.1 * DAY_S)
