"""A store over the local D1, and what of its database no ``DataStore`` shows."""

from typing import Any

from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import DataStore, Filter, Row
from pylon_workers import D1Error, D1Store
from tests.support.d1 import LocalD1

MANIFEST = parse_manifest(
    """{
  "manifest_version": 1, "name": "d1", "version": "1", "routes": [],
  "entities": [
    {"name": "Note", "indexes": [], "fields": [
      {"name": "title", "type": "string", "optional": false, "unique": false},
      {"name": "rank", "type": "int", "optional": true, "unique": false},
      {"name": "score", "type": "float", "optional": true, "unique": false},
      {"name": "slug", "type": "string", "optional": true, "unique": true}]}
  ]}"""
)
WATCHED = {"Note": frozenset({"rank"})}


def open_store(d1: LocalD1, manifest: AppManifest = MANIFEST, visibility: str = "v1") -> D1Store:
    return D1Store(d1, manifest, watched=WATCHED, visibility=visibility, clock=SystemClock())


def rows(store: DataStore) -> list[Row]:
    with store.read() as reader:
        return reader.query("Note", Filter())


def titles(store: DataStore) -> list[str]:
    return [row["title"] for row in rows(store)]


def journal(d1: LocalD1) -> list[Any]:
    return [undo for (undo,) in d1.query("SELECT undo FROM _pylon_journal", ())]


def network_lost() -> D1Error:
    return D1Error("D1_ERROR: Network connection lost.")
