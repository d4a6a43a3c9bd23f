"""The text index in D1 finds what that of the SQLite store finds, also after something was undone."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from pylon_core.manifest import parse_manifest
from pylon_http import DataStore, Search, TxStore
from pylon_storage import EphemeralStore
from tests.pylon_workers.d1_store import open_store
from tests.support.d1 import LocalD1

MANIFEST = parse_manifest(
    """{
  "manifest_version": 1, "name": "d1", "version": "1", "routes": [],
  "entities": [
    {"name": "Note", "indexes": [],
     "search": {"text": ["title", "body"], "facets": ["kind"], "sortable": []},
     "fields": [
      {"name": "title", "type": "string", "optional": false, "unique": false},
      {"name": "body", "type": "richtext", "optional": true, "unique": false},
      {"name": "kind", "type": "string", "optional": true, "unique": false}]}
  ]}"""
)


def write(tx: TxStore) -> None:
    tx.insert("Note", {"title": "green tea", "body": "from Japan", "kind": "drink"}, "a")
    tx.insert("Note", {"title": "black coffee", "body": "green beans", "kind": "drink"}, "b")
    tx.insert("Note", {"title": "a green chair", "kind": "thing"}, "c")
    tx.update("Note", "b", {"title": "black tea"})
    tx.delete("Note", "c")


def spoil(tx: TxStore) -> None:
    tx.update("Note", "a", {"title": "nothing"})
    tx.delete("Note", "b")
    tx.insert("Note", {"title": "green ghost"}, "b")
    raise LookupError


def found(store: DataStore, text: str) -> Sequence[Any]:
    with store.read() as reader:
        page = reader.search("Note", Search(text))
        return [row["id"] for row in page.hits], page.total, page.facet_counts


@pytest.mark.parametrize(
    "text", ["green", "tea", "coffee", "chair", "ghost", "green -japan", '"green tea"', "bl*", ""]
)
def test_a_search_finds_what_it_finds_in_sqlite(d1: LocalD1, text: str) -> None:
    with closing(open_store(d1, MANIFEST)) as store, closing(EphemeralStore(MANIFEST, watched={})) as oracle:
        for each in (store, oracle):
            each.transact(write)
            with pytest.raises(LookupError):
                each.transact(spoil)

        assert found(store, text) == found(oracle, text)


def test_rows_that_were_there_before_the_index_are_found(d1: LocalD1) -> None:
    open_store(d1).transact(lambda tx: tx.insert("Note", {"title": "old tea"}, "old"))

    assert found(open_store(d1, MANIFEST), "tea")[0] == ["old"]
