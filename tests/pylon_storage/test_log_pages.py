"""Pages of SQLite's change log, which have to fit in memory whatever the rows hold."""

from functools import partial

import pytest

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_http import TxStore
from pylon_storage import EphemeralStore
from pylon_storage.sqlite import changelog
from tests.strategies.documents import app, entity, field

NOTES = parse_manifest(jsontext.encode(app(entities=[entity(fields=[field("title")])])))


def add(tx: TxStore, letter: str) -> None:
    tx.insert("Note", {"title": 600 * letter}, letter)


def test_a_page_of_large_rows_is_shorter_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "PAGE_CHARS_MAX", 1_000)
    store = EphemeralStore(NOTES, watched={})
    for letter in "abcdefg":
        store.transact(partial(add, letter=letter))

    pages: list[str] = []
    page = store.changes(0, 500)
    while page.has_more:
        pages.append("".join(event.row_id for event in page.events))
        page = store.changes(page.events[-1].seq, 500)
    pages.append("".join(event.row_id for event in page.events))

    assert pages == ["ab", "cd", "ef", "g"]
    store.close()
