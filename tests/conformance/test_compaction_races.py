"""Writers, pullers and a compactor at once, on every engine that compacts: no replica misses or keeps anything.

Four people pass eight rows to each other, make them, delete them; each pulls their own in pages all the time, and
starts anew when told to. Nothing is too young or too dear for the compactor. In the end every replica is what its
owner may read.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_http import ChangeEvent, ChangeKind, DataError, Filter, LogPage, Row, TxStore
from pylon_storage.compaction import Compactor
from pylon_sync.pull import following, pull
from pylon_sync.visibility import Sight, sight
from tests.conformance.conftest import ADAPTERS, MANIFEST
from tests.conformance.test_compaction import COMPACTED, Store

SECONDS = 2.5
PEOPLE = ["ann", "bob", "cid", "dee"]
PAGE = 3


@pytest.fixture(params=COMPACTED)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = ADAPTERS[request.param](MANIFEST, tmp_path)
    yield opened  # type: ignore[misc]  # each of these has an upkeep
    opened.close()


class SmallPages:
    def __init__(self, store: Store) -> None:
        self._store = store

    def changes(self, since: int, limit: int) -> LogPage:
        return self._store.changes(since, PAGE)


class Puller:
    """The replica of one person; ``refusals`` are the codes it was told, and whether it had no cursor then."""

    def __init__(self, store: Store, who: str) -> None:
        self.who = who
        self._log = SmallPages(store)
        self.refusals: set[tuple[str, bool]] = set()
        self.reset()

    def reset(self) -> None:
        self.cursor = 0
        self.rows: dict[str, Row] = {}

    def show(self, event: ChangeEvent) -> tuple[str, Row | None] | None:
        match sight(event, lambda row: row["ownerId"] == self.who):
            case Sight.ROW:
                assert event.row is not None
                return event.row_id, dict(event.row)
            case Sight.DELETE:
                return event.row_id, None
        return None

    def pull(self) -> bool:
        """One answer, however many pages that is; whether there is more."""
        try:
            page = pull(self._log, self.cursor, self.show)
            pages = [page, *following(self._log, page, self.show)]
        except PylonError as error:
            self.refusals.add((error.code, self.cursor == 0))
            self.reset()
            return True
        for row_id, row in (shown for page in pages for shown in page.changes):
            if row is None:
                self.rows.pop(row_id, None)
            else:
                self.rows[row_id] = row
        self.cursor = pages[-1].last_seq
        return pages[-1].has_more

    def run(self, until: float, chance: random.Random) -> None:
        while time.monotonic() < until:
            if not self.pull():
                time.sleep(0.001)
            if chance.random() < 0.01:
                self.reset()


def write(store: Store, until: float, chance: random.Random) -> None:
    def work(tx: TxStore) -> None:
        row_id = chance.choice("abcdefgh")
        match chance.randrange(6):
            case 0:
                tx.delete("Note", row_id)
            case 1 | 2:
                tx.update("Note", row_id, {"ownerId": chance.choice(PEOPLE)})
            case _:
                data = {"title": str(chance.random()), "ownerId": chance.choice(PEOPLE)}
                if tx.update("Note", row_id, {"title": data["title"]}) is None:
                    tx.insert("Note", data, row_id)

    while time.monotonic() < until:
        with suppress(DataError):  # others had the same row
            store.transact(work)


def compact(store: Store, until: float, rounds: list[int]) -> None:
    while time.monotonic() < until:
        for _ in Compactor(store.upkeep, SystemClock(), 0.2, 0.05, batch_entries=5).run():
            pass
        rounds.append(1)
        time.sleep(0.05)


@pytest.mark.timeout(60)
def test_replicas_converge_while_everything_happens_at_once(store: Store) -> None:
    until, seed, rounds = time.monotonic() + SECONDS, random.randrange(1 << 32), list[int]()
    print("seed", seed)
    failures: list[BaseException] = []
    pullers = [Puller(store, who) for who in PEOPLE]

    def noted(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
                raise

        return run

    works: list[Callable[[], None]] = [
        *(lambda n=n: write(store, until, random.Random(seed + n)) for n in range(4)),
        *(lambda p=p: p.run(until, random.Random(seed)) for p in pullers),
        lambda: compact(store, until, rounds),
    ]
    threads = [threading.Thread(target=noted(work)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert len(rounds) > 3
    for puller in pullers:
        assert puller.refusals <= {("RESYNC_REQUIRED", False), ("NOT_AVAILABLE", True)}
        while puller.pull():
            pass
        with store.read() as reader:
            own = [row for row in reader.query("Note", Filter()) if row["ownerId"] == puller.who]
        assert puller.rows == {row["id"]: row for row in own}
    page = store.changes(0, 10_000)
    assert page.floor > 0
    assert all(event.kind is not ChangeKind.DELETE or event.before is not None for event in page.events)
