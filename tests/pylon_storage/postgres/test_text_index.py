"""What goes to the text index goes along with other statements: it stands and falls with the row all the same."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from pylon_core.manifest import parse_manifest
from pylon_http import DataError, TxStore
from pylon_storage.postgres import PostgresStore
from tests.pylon_storage.postgres.rig import OpenStore, Sql

SEARCHED = parse_manifest(
    """{"manifest_version": 1, "name": "searched", "version": "1", "routes": [], "entities": [
    {"name": "Note", "crdt": false, "indexes": [], "search": {"text": ["title"]}, "fields": [
      {"name": "title", "type": "string", "optional": false, "unique": true}]}]}"""
)


class _ChangedMindError(Exception):
    pass


def insert(tx: TxStore, title: str) -> None:
    tx.insert("Note", {"title": title}, title)


def undone(tx: TxStore, *titles: str) -> None:
    with suppress(_ChangedMindError), tx.savepoint():
        for title in titles:
            insert(tx, title)
        raise _ChangedMindError


def refused(tx: TxStore, title: str) -> None:
    with pytest.raises(DataError):
        insert(tx, title)


def part_in_part(tx: TxStore) -> None:
    with suppress(_ChangedMindError), tx.savepoint():
        insert(tx, "a")
        with tx.savepoint():
            insert(tx, "b")
        insert(tx, "c")
        raise _ChangedMindError


def part_behind_a_write(tx: TxStore) -> None:
    insert(tx, "a")
    with suppress(_ChangedMindError), tx.savepoint():
        raise _ChangedMindError
    undone(tx, "b")
    with tx.savepoint():
        insert(tx, "c")


def write_and_refusal(tx: TxStore) -> None:
    insert(tx, "a")
    refused(tx, "a")
    insert(tx, "b")
    refused(tx, "b")


def came_and_went(tx: TxStore) -> None:
    insert(tx, "a")
    tx.delete("Note", "a")
    insert(tx, "b")
    tx.update("Note", "b", {"title": "bb"})


WORKS: dict[str, tuple[Callable[[TxStore], None], set[str]]] = {
    "one": (lambda tx: insert(tx, "a"), {"a"}),
    "undone": (lambda tx: undone(tx, "a", "b"), set()),
    "part in part": (part_in_part, set()),
    "part behind a write": (part_behind_a_write, {"a", "c"}),
    "write and refusal": (write_and_refusal, {"a", "b"}),
    "came and went": (came_and_went, {"b"}),
}


@pytest.mark.parametrize("submitted", [False, True])
@pytest.mark.parametrize("name", WORKS)
def test_rows_and_index_agree(open_store: OpenStore, sql: Sql, name: str, submitted: bool) -> None:
    store: PostgresStore = open_store(SEARCHED)
    work, left = WORKS[name]

    if submitted:
        store.submit(work, lambda outcome: outcome.get())
        store.submit(lambda tx: insert(tx, "other"), lambda outcome: outcome.get())
        while store.flush():
            pass
        left = left | {"other"}
    else:
        store.transact(work)

    assert {row_id for (row_id,) in sql('SELECT "id" FROM "Note"')} == left
    assert {row_id for (row_id,) in sql('SELECT entity_id FROM "Note_fts"')} == left
