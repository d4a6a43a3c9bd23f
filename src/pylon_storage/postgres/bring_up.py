"""Bringing a database up to the manifest when a store opens: tables, columns, indexes, the log.

Several processes may start at once: each takes the schema's lock first and then looks what is still missing, in
one transaction. Read committed, so that it sees what the one before it did.
"""

import re

import psycopg

from pylon_core.manifest import AppManifest
from pylon_http import DataError
from pylon_storage import schema, sessions
from pylon_storage.crdt import snapshots
from pylon_storage.files.index import TABLES as FILE_TABLES
from pylon_storage.jobs.schema import POSTGRES_TABLES as JOB_TABLES
from pylon_storage.postgres import changelog
from pylon_storage.postgres.changelog import LogEra
from pylon_storage.postgres.connection import Connection
from pylon_storage.postgres.dialect import TEXT, PostgresDialect
from pylon_storage.postgres.statements import TransactionStatements
from pylon_storage.postgres.translate import Restart
from pylon_storage.search.prepare import prepare
from pylon_storage.search.tsvector import TsvectorIndex
from pylon_storage.statements import Statements
from pylon_storage.workflows.schema import POSTGRES_TABLES as WORKFLOW_TABLES

VERSION_MIN = 14

_LOCK = f"SELECT pg_advisory_xact_lock({changelog.SCHEMA_LOCK})"
_NO_HURRY = ("SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = '60s'")
_COLUMNS = """
SELECT t.relname, a.attname, format_type(a.atttypid, NULL),
    CASE WHEN c.collname = 'default' THEN d.datcollate ELSE c.collname END
FROM pg_class AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_database AS d ON d.datname = current_database()
LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
"""
_INDEXES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'i'"
_CREATED_INDEX = re.compile(r'CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (?:"((?:[^"]|"")+)"|(\w+))')
_NAME_BYTES_MAX = 63

_DECLARED = {
    "bigint": "BIGINT",
    "double precision": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
    "timestamp with time zone": "TIMESTAMPTZ",
}
_TEXTS = frozenset({"text", "character varying"})
_BY_CODE_POINT = frozenset({"C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic", "pg_c_utf8"})


def bring_up(connection: Connection, manifest: AppManifest, visibility: str) -> tuple[int, LogEra]:
    """The newest seq, and the era the log is in. Raises DataError SCHEMA_INIT_FAILED."""
    check_version(connection.info.server_version)
    check_names(manifest)
    statements = TransactionStatements(connection, b"BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        for text in (_LOCK, *_NO_HURRY):
            statements.all(text)
        indexes = {name for (name,) in statements.all(_INDEXES)}
        existing = _existing(statements)
        additions = (
            *schema.log_additions(existing, "BYTEA"),
            *schema.additions(manifest, existing, PostgresDialect()),
        )
        for text in (
            *changelog.TABLES,
            *sessions.TABLES,
            *FILE_TABLES,
            *JOB_TABLES,
            *WORKFLOW_TABLES,
            snapshots.POSTGRES_TABLE,
            *additions,
        ):
            # Also where there is nothing to create, it would wait for all who write to the table, and they for it.
            if _created_index(text) not in indexes:
                connection.execute(text.encode())
        for cleaning in snapshots.cleaning(manifest):
            statements.all(*cleaning)
        prepare(statements, manifest, PostgresDialect(), TsvectorIndex)
        # Last, since everybody waits at the end of the log.
        newest = changelog.renew_for(statements, visibility)
        connection.execute(b"COMMIT")
        era = changelog.era(connection, visibility)
    except (psycopg.Error, Restart) as error:
        said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        raise DataError(
            "SCHEMA_INIT_FAILED",
            f"The database could not be brought up to the manifest: {said or 'the connection was lost'}.",
            hint="A new unique field or index fails while rows still share a value.",
        ) from error
    return newest, era


def check_version(number: int) -> None:
    """``number`` as Postgres counts: 140005 for 14.5."""
    if number < VERSION_MIN * 10_000:
        raise DataError(
            "SCHEMA_INIT_FAILED",
            f"The database is a Postgres {number // 10_000}; pylon needs {VERSION_MIN} or newer.",
            hint="Upgrade the server, or let DATABASE_URL name a newer one.",
        )


def check_names(manifest: AppManifest) -> None:
    """Postgres cuts longer names, after which two may be the same; and its own tables go before ours."""
    for entity in manifest.entities:
        if entity.name.startswith("pg_"):
            raise DataError(
                "SCHEMA_INIT_FAILED",
                f"{entity.name} cannot be an entity: Postgres keeps names with pg_ to itself.",
            )
        for name in (entity.name, *(field.name for field in entity.fields)):
            if len(name.encode()) > _NAME_BYTES_MAX:
                raise DataError(
                    "SCHEMA_INIT_FAILED",
                    f"{name} is too long a name: Postgres takes {_NAME_BYTES_MAX} bytes.",
                )


def _existing(statements: Statements) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind, collation in statements.all(_COLUMNS):
        tables.setdefault(table, {})[column] = _declared(kind, collation)
    return tables


def _created_index(text: str) -> str | None:
    """The name of the index that a statement creates, as Postgres would cut it."""
    found = _CREATED_INDEX.match(text)
    if found is None:
        return None
    name = found[2] or found[1].replace('""', '"')
    return name.encode()[:_NAME_BYTES_MAX].decode(errors="ignore")


def _declared(kind: str, collation: str | None) -> str:
    """A column's type as the dialect declares it, where it is one that the dialect would have made."""
    if kind in _TEXTS:
        return TEXT if collation in _BY_CODE_POINT else f'TEXT COLLATE "{collation}"'
    return _DECLARED.get(kind, kind)
