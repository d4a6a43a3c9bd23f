"""Seq order is the order in which commits become visible: whoever reads the log by cursor misses nothing, ever.

Sixteen writers over two stores, some slow between their write and their commit, some rolling back, and four
readers that each follow the log from cursor to cursor. Taking the append lock away makes it fail within a second.
"""

import random
import threading
import time

import pytest

from pylon_http import TxStore
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.rig import OpenStore, note
from tests.support.waiting import until

WRITERS = 16
PULLERS = 4


class Puller:
    def __init__(self, store: PostgresStore, stop: threading.Event, page: int) -> None:
        self._store = store
        self._stop = stop
        self._page = page
        self.seen: list[int] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        cursor, is_last = 0, False
        while True:
            page = self._store.changes(cursor, self._page)
            self.seen += [event.seq for event in page.events]
            cursor = self.seen[-1] if self.seen else 0
            if not page.events:
                if is_last:
                    return
                is_last = self._stop.is_set()


def write(store: PostgresStore, number: int, deadline: float, committed: list[int]) -> None:
    chance = random.Random(number)

    def work(tx: TxStore) -> None:
        for _ in range(chance.randrange(1, 4)):
            note(f"{number}")(tx)
        if number % 4 == 0:
            time.sleep(chance.random() * 0.05)
        if chance.random() < 0.2:
            raise LookupError

    while time.monotonic() < deadline:
        try:
            store.transact(work)
        except LookupError:
            continue
        committed.append(1)


def run_for(seconds: float, open_store: OpenStore) -> None:
    stores = [open_store(), open_store()]
    heard: list[list[int]] = [[], []]
    for store, ear in zip(stores, heard, strict=True):
        store.subscribe(lambda events, ear=ear: ear.extend(event.seq for event in events))  # type: ignore[misc]
    stop, committed, deadline = threading.Event(), list[int](), time.monotonic() + seconds
    writers = [
        threading.Thread(target=write, args=(stores[number % 2], number, deadline, committed))
        for number in range(WRITERS)
    ]
    pullers = [Puller(stores[number % 2], stop, page=3 + 50 * number) for number in range(PULLERS)]
    for thread in (*writers, *(puller.thread for puller in pullers)):
        thread.start()
    for thread in writers:
        thread.join(60)
    stop.set()
    for puller in pullers:
        puller.thread.join(60)

    entries = [event.seq for event in stores[0].changes(0, 1_000_000).events]
    assert len(committed) > WRITERS
    for puller in pullers:
        assert puller.seen == entries
    stores[0].transact(note("last"))
    until(lambda: len(heard[1]) > len(entries), "the last event")
    assert heard[0][:-1] == heard[1][:-1] == entries


def test_no_puller_misses_or_reorders_an_entry(open_store: OpenStore) -> None:
    run_for(4, open_store)


@pytest.mark.soak
def test_no_puller_misses_or_reorders_an_entry_for_long(open_store: OpenStore) -> None:
    run_for(30, open_store)
