"""The table that keeps documents: one snapshot for each row that has a document (contract 05 §7.6).

Statements of the transaction that writes the row. Nothing is compressed or kept beside: a snapshot is what
clients get.
"""

from typing import Any

from pylon_core.manifest import AppManifest
from pylon_storage import sql
from pylon_storage.fragment import Fragment
from pylon_storage.statements import Statements

_NAME = "_pylon_crdt_snapshots"

SQLITE_TABLE = (
    f"CREATE TABLE IF NOT EXISTS {_NAME} (entity TEXT NOT NULL, row_id TEXT NOT NULL, snapshot BLOB NOT NULL,"
    " updated_at TEXT NOT NULL DEFAULT (unixepoch() || 'Z'), PRIMARY KEY (entity, row_id))"
)
POSTGRES_TABLE = (
    f'CREATE TABLE IF NOT EXISTS {_NAME} (entity TEXT NOT NULL, row_id TEXT COLLATE "C" NOT NULL,'
    " snapshot BYTEA NOT NULL, updated_at TIMESTAMPTZ NOT NULL DEFAULT now(), PRIMARY KEY (entity, row_id))"
)
_FIND = f"SELECT snapshot FROM {_NAME} WHERE entity = ? AND row_id = ?"
_KEEP = (
    f"INSERT INTO {_NAME} (entity, row_id, snapshot) VALUES (?, ?, ?) ON CONFLICT (entity, row_id)"
    " DO UPDATE SET snapshot = excluded.snapshot, updated_at = excluded.updated_at"
)
_REMOVE = f"DELETE FROM {_NAME} WHERE entity = ? AND row_id = ?"


def row_with_snapshot(entity: str, columns: tuple[str, ...]) -> str:
    """Selects a row by its id and, last, its snapshot or null."""
    names = ", ".join(map(sql.quote, columns))
    table = sql.quote(entity)
    literal = entity.replace("'", "''")
    snapshot = f"""SELECT snapshot FROM {_NAME} WHERE entity = '{literal}' AND row_id = {table}."id\""""
    return f'SELECT {names}, ({snapshot}) FROM {table} WHERE "id" = ?'


def find(statements: Statements, entity: str, row_id: str) -> bytes | None:
    found = statements.one(_FIND, (entity, row_id))
    return None if found is None else bytes(found[0])


def keep(statements: Statements, entity: str, row_id: str, snapshot: bytes) -> None:
    statements.write(_KEEP, (entity, row_id, snapshot))


def remove(statements: Statements, entity: str, row_id: str) -> None:
    statements.write(_REMOVE, (entity, row_id))


def cleaning(manifest: AppManifest) -> list[Fragment]:
    """Statements that remove the documents of entities that have none any more. Those of entities which the
    manifest does not know stay, as their rows do."""
    plain: list[Any] = [entity.name for entity in manifest.entities if not entity.crdt]
    return [Fragment(f"DELETE FROM {_NAME} WHERE entity = ?", (name,)) for name in plain]
