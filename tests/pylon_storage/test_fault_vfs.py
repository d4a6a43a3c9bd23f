"""A disk that fails: writes refused, writes torn, syncs failing, while four threads write.

An acknowledged row is there afterwards, whatever happened to its neighbours; a refused one is not; one whose
outcome was reported unknown may be either, but never half: row and log entry go together.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_http import DataError, Filter
from pylon_storage import NoFaults, SqliteStore
from tests.support.faulty_vfs import Dice, FaultyVfs

MANIFEST = parse_manifest(
    """{"manifest_version": 1, "name": "faults", "version": "1", "routes": [], "entities": [
    {"name": "Note", "indexes": [], "fields": [
      {"name": "text", "type": "string", "optional": false, "unique": false}]}]}"""
)
WRITERS, WRITES = 4, 60


@dataclass
class Outcomes:
    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


def open_store(path: Path, vfs: str | None = None) -> SqliteStore:
    return SqliteStore(
        path,
        MANIFEST,
        watched={},
        visibility="",
        clock=SystemClock(),
        faults=NoFaults(),
        vfs=vfs,
    )


def write_rows(store: SqliteStore, writer: int, outcomes: Outcomes) -> None:
    for number in range(WRITES):
        row_id = f"w{writer}_{number}"
        try:
            store.transact(lambda tx, row_id=row_id: tx.insert("Note", {"text": row_id * 40}, row_id))  # type: ignore[misc]
            outcomes.acknowledged.add(row_id)
        except DataError as error:
            where = outcomes.unknown if error.code == "COMMIT_FAILED" else outcomes.refused
            where.add(row_id)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> Iterator[Dice]:
    dice = Dice(request.param, write=0.01, torn=0.01, sync=0.1)
    vfs = FaultyVfs("faulty", dice)
    yield dice
    vfs.unregister()


@pytest.mark.parametrize("dice", range(8), indirect=True, ids=lambda seed: f"seed{seed}")
def test_no_acknowledged_row_is_lost_on_a_failing_disk(dice: Dice, tmp_path: Path) -> None:
    outcomes = Outcomes()
    heard: list[int] = []
    store = open_store(tmp_path / "faults.db", "faulty")
    store.subscribe(lambda events: heard.extend(event.seq for event in events))

    dice.armed = True
    writers = [threading.Thread(target=write_rows, args=(store, number, outcomes)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    dice.armed = False
    store.transact(lambda tx: tx.insert("Note", {"text": "the disk is well again"}, "last"))
    store.close()

    healthy = open_store(tmp_path / "faults.db")
    with healthy.read() as reader:
        rows = {row["id"]: row for row in reader.query("Note", Filter())}
    page = healthy.changes(0, 10_000)
    healthy.close()
    logged = [event.row_id for event in page.events]
    assert outcomes.acknowledged | {"last"} <= rows.keys()
    assert not outcomes.refused & rows.keys()
    assert rows.keys() <= outcomes.acknowledged | outcomes.unknown | {"last"}
    assert sorted(logged) == sorted(rows)
    assert heard == [event.seq for event in page.events], "every durable change is announced once, in order"
    assert sum(dice.thrown.values()) > 5
    assert len(outcomes.acknowledged) > 20
