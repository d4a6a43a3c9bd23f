"""A database whose change log was made before entries had deltas."""

import sqlite3
from pathlib import Path

from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_storage import SqliteStore
from pylon_storage.faults import NoFaults

MANIFEST = parse_manifest(
    '{"manifest_version": 1, "name": "notes", "version": "1", "routes": [], "entities": [{"name": "Note",'
    ' "indexes": [],  "relations": [],'
    ' "fields": [{"name": "title", "type": "string", "optional": true, "unique": false}]}]}'
)


def opened(path: Path) -> SqliteStore:
    return SqliteStore(path, MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=NoFaults())


def test_an_older_change_log_is_read_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    store = opened(path)
    store.transact(lambda tx: tx.insert("Note", {"title": "old"}))
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE _pylon_changes DROP COLUMN delta")
    connection.close()

    store = opened(path)
    store.transact(lambda tx: tx.insert("Note", {"title": "new"}))

    events = store.changes(0, 10).events
    assert [(event.row or {})["title"] for event in events] == ["old", "new"]
    store.close()
