"""Pages of the change log, which have to fit in memory whatever the rows hold."""

from functools import partial
from typing import Any

import pytest

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_http import DataStore, TxStore
from pylon_storage import EphemeralStore, NoFaults
from pylon_storage.postgres import PostgresStore
from pylon_storage.postgres import changelog as postgres_changelog
from pylon_storage.sqlite import changelog
from tests.strategies.documents import app, entity, field
from tests.support.compacting import RETENTION_S, compact
from tests.support.postgres import fresh_database

NOTES = parse_manifest(jsontext.encode(app(entities=[entity(fields=[field("title")])])))


def add(tx: TxStore, letter: str) -> None:
    tx.insert("Note", {"title": 600 * letter}, letter)


def pages_of(store: DataStore) -> list[str]:
    for letter in "abcdefg":
        store.transact(partial(add, letter=letter))
    pages: list[str] = []
    page = store.changes(0, 500)
    while page.has_more:
        pages.append("".join(event.row_id for event in page.events))
        page = store.changes(page.events[-1].seq, 500)
    pages.append("".join(event.row_id for event in page.events))
    return pages


def test_a_page_of_large_rows_is_shorter_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "PAGE_CHARS_MAX", 1_000)
    store = EphemeralStore(NOTES, watched={})

    assert pages_of(store) == ["ab", "cd", "ef", "g"]
    store.close()


def test_so_it_is_on_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_changelog, "PAGE_CHARS_MAX", 1_500)
    store = PostgresStore(
        fresh_database(), NOTES, watched={}, visibility="", clock=SystemClock(), faults=NoFaults()
    )

    pages = pages_of(store)

    assert "".join(pages) == "abcdefg"
    assert max(map(len, pages)) <= 2
    store.close()


@pytest.mark.parametrize("first_read", ["page", "floor"])
def test_a_page_and_its_floor_are_of_one_state(first_read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of before the floor rose would be taken for complete with the floor of after, and the other way round
    somebody's deletion would be missing from it."""
    store = EphemeralStore(NOTES, watched={})
    store.transact(partial(add, letter="a"))
    store.transact(lambda tx: tx.delete("Note", "a"))
    is_compacted = False
    read = getattr(changelog, first_read)

    def read_and_compact(*args: Any) -> Any:
        nonlocal is_compacted
        found = read(*args)
        if not is_compacted:
            is_compacted = True
            compact(store.upkeep, RETENTION_S + 60)
        return found

    monkeypatch.setattr(changelog, first_read, read_and_compact)

    page, later = store.changes(1, 10), store.changes(1, 10)

    assert is_compacted
    assert (len(page.events), page.floor) in ((1, 0), (0, 2))
    assert (len(later.events), later.floor) == (0, 2)
    store.close()
