"""What the tests of the Postgres store share: a manifest, waiting, faults that act, ending backends."""

from collections.abc import Callable
from typing import Any, Protocol

import psycopg

from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import Filter, TxStore
from pylon_storage import FaultPoints
from pylon_storage.postgres import PostgresStore

MANIFEST = parse_manifest(
    """{
  "manifest_version": 1, "name": "postgres", "version": "1", "routes": [],
  "entities": [
    {"name": "Note", "crdt": false, "indexes": [{"name": "by_owner", "fields": ["ownerId"], "unique": false}],
     "fields": [
      {"name": "ownerId", "type": "string", "optional": true, "unique": false},
      {"name": "title", "type": "string", "optional": false, "unique": false},
      {"name": "slug", "type": "string", "optional": true, "unique": true},
      {"name": "rank", "type": "int", "optional": true, "unique": false},
      {"name": "score", "type": "float", "optional": true, "unique": false},
      {"name": "done", "type": "bool", "optional": true, "unique": false},
      {"name": "due", "type": "datetime", "optional": true, "unique": false}]}
  ]}"""
)

Sql = Callable[..., list[tuple[Any, ...]]]

END_ALL = (
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'pylon'"
)


class OpenStore(Protocol):
    def __call__(
        self,
        manifest: AppManifest = ...,
        *,
        visibility: str = ...,
        faults: FaultPoints | None = ...,
        through: str | None = ...,
        connections_max: int = ...,
    ) -> PostgresStore: ...


class Faults:
    """Runs an action at the nth arrival at a point."""

    def __init__(self, point: str, act: Callable[[], object], nth: int = 1) -> None:
        self._point = point
        self._act = act
        self._left = nth
        self.acted = False

    def hit(self, name: str) -> None:
        if name == self._point:
            self._left -= 1
            if self._left == 0:
                self.acted = True
                self._act()


def end_backends(url: str) -> None:
    """End every session that stores have on the database; returns when they are gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(END_ALL)


def note(title: str) -> Callable[[TxStore], dict[str, Any]]:
    return lambda tx: tx.insert("Note", {"title": title})


def titles(store: PostgresStore) -> list[str]:
    with store.read() as reader:
        return [row["title"] for row in reader.query("Note", Filter())]
