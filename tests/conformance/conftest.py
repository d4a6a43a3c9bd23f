"""Which adapters the conformance suite runs through: one entry each.

A new adapter adds an entry here and nothing else. What it cannot do is not skipped: the experimental one for D1
names the tests it fails, with the reason, and they must go on failing.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import DataStore
from pylon_storage import EphemeralStore, NoFaults, SqliteStore
from pylon_storage.postgres import PostgresStore
from pylon_workers import D1Store
from tests.support.d1 import LocalD1
from tests.support.postgres import fresh_database

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


def open_d1(manifest: AppManifest, directory: Path) -> DataStore:
    return D1Store(LocalD1(), manifest, watched=WATCHED, visibility="v1", clock=SystemClock())


def open_postgres(manifest: AppManifest, directory: Path) -> DataStore:
    return PostgresStore(
        fresh_database(),
        manifest,
        watched=WATCHED,
        visibility="v1",
        clock=SystemClock(),
        faults=NoFaults(),
    )


ADAPTERS: dict[str, Callable[[AppManifest, Path], DataStore]] = {
    "sqlite-file": open_sqlite_file,
    "sqlite-ephemeral": open_ephemeral,
    "postgres": open_postgres,
    "d1": open_d1,
}

KNOWN_FAILURES: dict[str, dict[str, str]] = {
    "d1": {
        "test_work_sees_its_own_writes_and_others_do_not_until_commit": "D1 has no transaction to hide them in",
        "test_a_read_sees_one_state": "D1 has no snapshot that spans calls",
        "test_the_head_does_not_move_while_a_state_is_read": "D1 has no snapshot that spans calls",
    }
}
"""By adapter and test, and why."""

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
    {"name": "Sale", "indexes": [], "fields": [
      {"name": "shop", "type": "string", "optional": true, "unique": false},
      {"name": "units", "type": "int", "optional": true, "unique": false},
      {"name": "price", "type": "float", "optional": true, "unique": false},
      {"name": "paid", "type": "bool", "optional": true, "unique": false},
      {"name": "soldAt", "type": "datetime", "optional": true, "unique": false}]},
    {"name": "Order", "crdt": false, "indexes": [], "fields": [
      {"name": "group", "type": "string", "optional": true, "unique": false},
      {"name": "say \\"hi\\"", "type": "int", "optional": true, "unique": false}]}
  ]}"""
)


@pytest.fixture(params=ADAPTERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataStore]:
    adapter: str = request.param
    reason = KNOWN_FAILURES.get(adapter, {}).get(request.function.__name__)
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    opened = ADAPTERS[adapter](MANIFEST, tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=ADAPTERS)
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataStore]:
    """One store for all tests of a module, for those that put its rows in order themselves."""
    opened = ADAPTERS[request.param](MANIFEST, tmp_path_factory.mktemp("shared"))
    yield opened
    opened.close()
