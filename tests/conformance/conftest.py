"""Which adapters the conformance suite runs through: one entry each.

A new adapter adds an entry here and nothing else; what it cannot do is not skipped, it is not an adapter.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import DataStore
from pylon_storage import EphemeralStore, NoFaults, SqliteStore

WATCHED = {"Note": frozenset({"ownerId", "done"})}


def open_sqlite_file(manifest: AppManifest, directory: Path) -> DataStore:
    return SqliteStore(
        directory / "conformance.db",
        manifest,
        watched=WATCHED,
        visibility="v1",
        clock=SystemClock(),
        faults=NoFaults(),
    )


def open_ephemeral(manifest: AppManifest, directory: Path) -> DataStore:
    return EphemeralStore(manifest, watched=WATCHED)


ADAPTERS: dict[str, Callable[[AppManifest, Path], DataStore]] = {
    "sqlite-file": open_sqlite_file,
    "sqlite-ephemeral": open_ephemeral,
}

MANIFEST = parse_manifest(
    """{
  "manifest_version": 1, "name": "conformance", "version": "1", "routes": [],
  "entities": [
    {"name": "Note", "indexes": [{"name": "by_owner", "fields": ["ownerId"], "unique": false}], "fields": [
      {"name": "ownerId", "type": "string", "optional": true, "unique": false},
      {"name": "title", "type": "string", "optional": false, "unique": false},
      {"name": "done", "type": "bool", "optional": true, "unique": false},
      {"name": "rank", "type": "int", "optional": true, "unique": false},
      {"name": "score", "type": "float", "optional": true, "unique": false},
      {"name": "body", "type": "richtext", "optional": true, "unique": false},
      {"name": "slug", "type": "string", "optional": true, "unique": true}]},
    {"name": "Order", "crdt": false, "indexes": [], "fields": [
      {"name": "group", "type": "string", "optional": true, "unique": false},
      {"name": "say \\"hi\\"", "type": "int", "optional": true, "unique": false}]}
  ]}"""
)


@pytest.fixture(params=list(ADAPTERS.values()), ids=list(ADAPTERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataStore]:
    opened: DataStore = request.param(MANIFEST, tmp_path)
    yield opened
    opened.close()
