"""The change log in its table, in an order that is the order in which commits become visible (design §3.3).

Postgres commits concurrently: were an entry given its seq when it is written, a transaction with a lower seq could
commit after one with a higher, and whoever had read up to the higher would never see it. So a transaction keeps
its entries to itself until its very end. Then it takes one lock, shared by all processes, appends them with the
next seqs and commits, all sent in one go; Postgres lets the lock go only after the commit is visible. Hence
whoever holds the lock sees, or is, the newest entry, and a reader's snapshot has all entries below any that it
has. Nothing slow happens under the lock: work, its waits and its rollbacks are over by then. Sequences do not roll
back, so a commit that fails leaves a gap in the seqs, never a seq used twice.

``_pylon_meta`` keeps ``floor`` and ``visibility`` as on SQLite. Functions on a connection, whose holder calls
them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_http import ChangeEvent, ChangeKind, LogPage, Row
from pylon_storage.postgres.connection import Connection, Cursor
from pylon_storage.statements import Statements

CHANNEL = "pylon_changes"

APPEND_LOCK = 0x70796C6F6E01
"""Advisory lock: the end of the log."""
SCHEMA_LOCK = 0x70796C6F6E02
"""Advisory lock: making and changing tables."""
RETRY_LOCK = 0x70796C6F6E03
"""Advisory lock: transactions that lost several times go one at a time."""

TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS _pylon_changes (seq BIGINT PRIMARY KEY, entity TEXT NOT NULL,"
        " row_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT, before TEXT, timestamp_ms BIGINT NOT NULL)"
    ),
    "CREATE SEQUENCE IF NOT EXISTS _pylon_changes_seq OWNED BY _pylon_changes.seq",
    "CREATE TABLE IF NOT EXISTS _pylon_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    (
        "CREATE TABLE IF NOT EXISTS _pylon_ops (scope TEXT NOT NULL, op_id TEXT NOT NULL, row_id TEXT NOT NULL,"
        " timestamp_ms BIGINT NOT NULL, PRIMARY KEY (scope, op_id))"
    ),
)

_LOCK = f"SELECT pg_advisory_xact_lock({APPEND_LOCK})".encode()
_APPEND = (
    "WITH added AS (INSERT INTO _pylon_changes (seq, entity, row_id, kind, data, before, timestamp_ms)"
    " SELECT nextval('_pylon_changes_seq'), entity, row_id, kind, data, before, $6::bigint FROM"
    " unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])"
    " AS entry (entity, row_id, kind, data, before) RETURNING seq)"
    f" SELECT min(seq), pg_notify('{CHANNEL}', max(seq) || ' ' || $7) FROM added"
).encode()
_PAGE = (
    "SELECT seq, entity, row_id, kind, data, before, timestamp_ms FROM _pylon_changes WHERE seq > ?"
    " ORDER BY seq LIMIT ?"
)
_HEAD_AND_FLOOR = (
    "SELECT (SELECT coalesce(max(seq), 0) FROM _pylon_changes),"
    " (SELECT coalesce(max(value)::bigint, 0) FROM _pylon_meta WHERE key = 'floor')"
)
_KEEP_NEWEST_OF_EACH_ROW = (
    "DELETE FROM _pylon_changes WHERE seq NOT IN (SELECT max(seq) FROM _pylon_changes GROUP BY entity, row_id)"
)
_SET = "INSERT INTO _pylon_meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

_row_decoder = msgspec.json.Decoder(dict)


class ChangeBuffer:
    """The ``ChangeRecorder`` of one transaction: what it will append."""

    def __init__(self, timestamp_ms: int) -> None:
        self.timestamp_ms = timestamp_ms
        self._entries: list[tuple[str, str, ChangeKind, Row | None, Row | None]] = []

    def record(self, entity: str, row_id: str, kind: ChangeKind, row: Row | None, before: Row | None) -> None:
        self._entries.append((entity, row_id, kind, row, before))

    def mark(self) -> int:
        return len(self._entries)

    def undo_to(self, mark: int) -> None:
        del self._entries[mark:]

    def __len__(self) -> int:
        return len(self._entries)

    def columns(self) -> list[Any]:
        """The entries as parameters of ``append``; made before the lock is taken."""
        entities, row_ids, kinds, rows, befores = zip(*self._entries, strict=True)
        return [
            list(entities),
            list(row_ids),
            [kind.value for kind in kinds],
            list(map(_encoded, rows)),
            list(map(_encoded, befores)),
            self.timestamp_ms,
        ]

    def events(self, first: int) -> list[ChangeEvent]:
        """The entries, once it is known which seq the first of them got: under the lock they are consecutive."""
        return [
            ChangeEvent(seq, *entry, self.timestamp_ms) for seq, entry in enumerate(self._entries, start=first)
        ]


def append(connection: Connection, columns: Sequence[Any], origin: str) -> Cursor:
    """Take the end of the log until the transaction is over, append, and tell every process, once it is committed,
    how far it goes now and which of them did it. The result begins with the first seq."""
    connection.execute(_LOCK)
    return connection.execute(_APPEND, [*columns, origin])


def head_and_floor(statements: Statements) -> tuple[int, int]:
    found = statements.one(_HEAD_AND_FLOOR)
    assert found is not None
    newest, floor = found
    return max(newest, floor), floor


def page(statements: Statements, since: int, limit: int) -> tuple[Sequence[ChangeEvent], bool]:
    """At most ``limit`` entries after ``since``, and whether more follow."""
    found = statements.all(_PAGE, (since, limit + 1))
    return [_event(columns) for columns in found[:limit]], len(found) > limit


def log_page(statements: Statements, since: int, limit: int) -> LogPage:
    """``statements`` see one state."""
    newest, floor = head_and_floor(statements)
    events, has_more = page(statements, since, limit)
    return LogPage(events, has_more, newest, floor)


def renew_for(statements: Statements, visibility: str) -> int:
    """Start a new log when the read policies are not those it was written under: an insert for each row. The
    newest
    seq."""
    statements.one(_LOCK.decode())
    found = statements.one("SELECT value FROM _pylon_meta WHERE key = 'visibility'")
    newest, _ = head_and_floor(statements)
    if found == (visibility,):
        return newest
    if found is not None and newest:
        for text in (
            _KEEP_NEWEST_OF_EACH_ROW,
            "DELETE FROM _pylon_changes WHERE data IS NULL",
            "UPDATE _pylon_changes SET seq = -seq, kind = 'insert', before = NULL",
        ):
            statements.all(text)
        statements.all("UPDATE _pylon_changes SET seq = ? - seq", (newest,))
        floor = newest + 1
        _set(statements, "floor", str(floor))
        statements.one(
            "SELECT setval('_pylon_changes_seq', greatest(?, (SELECT max(seq) FROM _pylon_changes)))", (floor,)
        )
    _set(statements, "visibility", visibility)
    newest, _ = head_and_floor(statements)
    return newest


def _set(statements: Statements, key: str, value: str) -> None:
    statements.all(_SET, (key, value))


def _encoded(row: Row | None) -> str | None:
    return None if row is None else jsontext.encode(row).decode()


def _decoded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else _row_decoder.decode(text)


def _event(columns: tuple[Any, ...]) -> ChangeEvent:
    seq, entity, row_id, kind, data, before, timestamp_ms = columns
    return ChangeEvent(seq, entity, row_id, ChangeKind(kind), _decoded(data), _decoded(before), timestamp_ms)
