"""The table that keeps documents: one snapshot for each row that has a document (contract 05 §7.6).

Statements of the transaction that writes the row. Nothing is compressed or kept beside: a snapshot is what
clients get.
"""

from collections.abc import Iterable
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
_HIDDEN = "no documents with "
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
    """Statements that remove the documents of entities that have none any more, and those in which a field is
    that has been hidden since. Those of entities which the manifest does not know stay, as their rows do."""
    plain: list[Any] = [entity.name for entity in manifest.entities if not entity.crdt]
    return [
        *(Fragment(f"DELETE FROM {_NAME} WHERE entity = ?", (name,)) for name in plain),
        *_hiding(manifest.auth.user.entity, manifest.auth.user.hide),
    ]


def _hiding(entity: str, fields: Iterable[str]) -> list[Fragment]:
    """A field cannot be taken out of a document, whose history keeps it: so a document is made anew without. The
    meta table has, for each hidden field, that there is no document with it."""
    keys: list[Any] = [f"{_HIDDEN}{entity}.{field}" for field in fields]
    others = "".join(" AND key <> ?" for _ in keys)
    removing = f"DELETE FROM {_NAME} WHERE entity = ? AND NOT EXISTS (SELECT 1 FROM _pylon_meta WHERE key = ?)"
    noting = "INSERT INTO _pylon_meta (key, value) VALUES (?, '') ON CONFLICT (key) DO NOTHING"
    return [
        *(Fragment(removing, (entity, key)) for key in keys),
        Fragment(
            f"DELETE FROM _pylon_meta WHERE substr(key, 1, {len(_HIDDEN)}) = '{_HIDDEN}'{others}", tuple(keys)
        ),
        *(Fragment(noting, (key,)) for key in keys),
    ]
