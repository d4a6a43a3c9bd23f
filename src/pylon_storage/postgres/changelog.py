"""The change log in its table, in an order that is the order in which commits become visible (design §3.3).

Postgres commits concurrently: were an entry given its seq when it is written, a transaction with a lower seq could
commit after one with a higher, and whoever had read up to the higher would never see it. So a transaction keeps
its entries to itself until its very end. Then it takes one lock, shared by all processes, appends them with the
next seqs and commits, all sent in one go; Postgres lets the lock go only after the commit is visible. Hence
whoever holds the lock sees, or is, the newest entry, and a reader's snapshot has all entries below any that it
has. Nothing slow happens under the lock: work, its waits and its rollbacks are over by then. Sequences do not roll
back, so a commit that fails leaves a gap in the seqs, never a seq used twice.

``_pylon_meta`` keeps ``floor`` and ``visibility`` as on SQLite. While servers are replaced by ones with other
policies, those of before go on writing: a renewal of the log begins an era, and each append is refused that was
prepared in another one, in which the log had to keep something else of the rows before. An era is told by a
sequence, since a transaction sees what that is now and not what it was when it began.

Functions on a connection, whose holder calls them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from psycopg import errors

from pylon_core import jsontext
from pylon_http import ChangeEvent, ChangeKind, DataError, LogPage, Row
from pylon_storage.budget import PAGE_CHARS_MAX
from pylon_storage.postgres.connection import Connection, Cursor
from pylon_storage.postgres.pool import LOCK_MS
from pylon_storage.statements import Columns, Statements

CHANNEL = "pylon_changes"

APPEND_LOCK = 0x70796C6F6E01
"""Advisory lock: the end of the log."""
SCHEMA_LOCK = 0x70796C6F6E02
"""Advisory lock: making and changing tables."""
RETRY_LOCK = 0x70796C6F6E03
"""Advisory lock: transactions that lost several times go one at a time."""
UPKEEP_LOCK = 0x70796C6F6E04
"""Advisory lock: one server at a time compacts the log."""

TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS _pylon_changes (seq BIGINT PRIMARY KEY, entity TEXT NOT NULL,"
        " row_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT, before TEXT, timestamp_ms BIGINT NOT NULL,"
        " delta BYTEA)"
    ),
    "CREATE SEQUENCE IF NOT EXISTS _pylon_changes_seq OWNED BY _pylon_changes.seq",
    "CREATE SEQUENCE IF NOT EXISTS _pylon_log_era",
    "CREATE TABLE IF NOT EXISTS _pylon_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    (
        "CREATE TABLE IF NOT EXISTS _pylon_ops (scope TEXT NOT NULL, op_id TEXT NOT NULL, row_id TEXT NOT NULL,"
        " timestamp_ms BIGINT NOT NULL, PRIMARY KEY (scope, op_id))"
    ),
)

_LOCK = f"SELECT set_config('lock_timeout', '{LOCK_MS}', true), pg_advisory_xact_lock({APPEND_LOCK})".encode()
_APPEND = (
    "WITH added AS (INSERT INTO _pylon_changes (seq, entity, row_id, kind, data, before, delta, timestamp_ms)"
    " SELECT nextval('_pylon_changes_seq'), entity, row_id, kind, data, before, delta, $7::bigint FROM"
    " unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[])"
    " AS entry (entity, row_id, kind, data, before, delta) RETURNING seq)"
    f" SELECT min(seq), pg_notify('{CHANNEL}', max(seq) || ' ' || $8),"
    # There is no other way to make a plain statement fail.
    " 1 / ((SELECT last_value FROM _pylon_log_era) = $9::bigint)::int FROM added"
).encode()
_ERA = b"SELECT last_value, (SELECT value FROM _pylon_meta WHERE key = 'visibility') FROM _pylon_log_era"
_PAGE = (
    "SELECT seq, entity, row_id, kind, data, before, timestamp_ms, delta,"
    " (SELECT value FROM _pylon_meta WHERE key = 'visibility'),"
    " (SELECT value::bigint FROM _pylon_meta WHERE key = 'compacted_to')"
    " FROM _pylon_changes WHERE seq > ? ORDER BY seq LIMIT ?"
)
_EXTENT = (
    "SELECT (SELECT coalesce(max(seq), 0) FROM _pylon_changes),"
    " (SELECT coalesce(max(value)::bigint, 0) FROM _pylon_meta WHERE key = 'floor'),"
    " (SELECT value FROM _pylon_meta WHERE key = 'visibility')"
)
_NEW_ERA = "SELECT setval('_pylon_log_era', last_value + 1) FROM _pylon_log_era"
_KEEP_NEWEST_OF_EACH_ROW = (
    "DELETE FROM _pylon_changes WHERE seq NOT IN (SELECT max(seq) FROM _pylon_changes GROUP BY entity, row_id)"
)
_SET = "INSERT INTO _pylon_meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

RENEWED = errors.DivisionByZero
"""What ``append`` raises when the log has begun another era."""

_row_decoder = msgspec.json.Decoder(dict)


class LogEra(NamedTuple):
    """Since when the log is written for which read policies; ``visibility`` is the fingerprint of our own."""

    number: int
    is_ours: bool
    visibility: str


Entry = tuple[str, str, ChangeKind, Row | None, Row | None, bytes | None]
"""Entity, id, kind, the row after the change, what of it before decided who could read it, what the change added
to its document."""


class ChangeBuffer:
    """The ``ChangeRecorder`` of one transaction: what it will append."""

    def __init__(self, timestamp_ms: int) -> None:
        self.timestamp_ms = timestamp_ms
        self._steps: list[Entry | _Forgotten] = []

    def record(
        self,
        entity: str,
        row_id: str,
        kind: ChangeKind,
        row: Row | None,
        before: Row | None,
        delta: bytes | None = None,
    ) -> None:
        self._steps.append((entity, row_id, kind, row, before, delta))

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        self._steps.append(_Forgotten({entity: frozenset(row_ids) for entity, row_ids in rows.items()}))

    def mark(self) -> int:
        return len(self._steps)

    def undo_to(self, mark: int) -> None:
        del self._steps[mark:]

    def entries(self) -> list[Entry]:
        """What is left of them in the end."""
        left: list[Entry] = []
        for step in self._steps:
            if isinstance(step, _Forgotten):
                left = [kept for entry in left if (kept := step.left_of(entry)) is not None]
            else:
                left.append(step)
        return left


@dataclass(frozen=True, slots=True)
class _Forgotten:
    """Ids by entity."""

    rows: Mapping[str, frozenset[str]]

    def left_of(self, entry: Entry) -> Entry | None:
        """As ``SqlTx.forget`` has it."""
        entity, row_id, _, row, before, _ = entry
        if row is None or row_id not in self.rows.get(entity, ()):
            return entry
        return None if before is None else (entity, row_id, ChangeKind.DELETE, None, before, None)


class Appendix:
    """The entries that a transaction appends in the end, as parameters; made before the lock is taken."""

    def __init__(self, entries: Sequence[Entry], timestamp_ms: int) -> None:
        self._entries = entries
        self._timestamp_ms = timestamp_ms
        entities, row_ids, kinds, rows, befores, deltas = zip(*entries, strict=True)
        self.columns = [
            list(entities),
            list(row_ids),
            [kind.value for kind in kinds],
            list(map(_encoded, rows)),
            list(map(_encoded, befores)),
            list(deltas),
            timestamp_ms,
        ]

    def events(self, first: int) -> list[ChangeEvent]:
        """The entries, once it is known which seq the first of them got: under the lock they are consecutive."""
        return [
            ChangeEvent(seq, entity, row_id, kind, row, before, self._timestamp_ms, delta)
            for seq, (entity, row_id, kind, row, before, delta) in enumerate(self._entries, start=first)
        ]


def append(connection: Connection, appendix: Appendix, era: int, origin: str) -> Cursor:
    """Take the end of the log until the transaction is over, append, and tell every process, once it is committed,
    how far it goes now and which of them did it. The result begins with the first seq. Raises ``RENEWED`` when
    this is not the number of the log's era any more."""
    connection.execute(_LOCK)
    return connection.execute(_APPEND, [*appendix.columns, origin, era])


def era(connection: Connection, visibility: str) -> LogEra:
    """The log's era as it is for a process with policies of this fingerprint. Waits for one that is just begun."""
    with connection.pipeline():
        connection.execute(b"BEGIN ISOLATION LEVEL READ COMMITTED", prepare=False)
        connection.execute(_LOCK)
        cursor = connection.execute(_ERA)
        connection.execute(b"COMMIT", prepare=False)
    found = cursor.fetchone()
    assert found is not None
    number, of_log = found
    return LogEra(number, of_log == visibility, visibility)


class Extent(NamedTuple):
    """From where to where the log goes, and the fingerprint of the policies it is written for."""

    newest: int
    floor: int
    visibility: str | None


def extent(statements: Statements) -> Extent:
    found = statements.one(_EXTENT)
    assert found is not None
    newest, floor, visibility = found
    return Extent(max(newest, floor), floor, visibility)


class Stretch(NamedTuple):
    """Some entries; for which policies they are written; up to where entries that were followed by others of the
    same row may be gone. The last two say nothing where there are no entries."""

    events: Sequence[ChangeEvent]
    visibility: str | None
    compacted_to: int


def page(statements: Statements, since: int, limit: int) -> Stretch:
    """At most ``limit`` entries after ``since``, fewer where they are large."""
    found = _sized(statements, since, limit)
    if not found:
        return Stretch([], None, 0)
    *_, visibility, compacted_to = found[0]
    return Stretch([_event(columns[:-2]) for columns in found], visibility, compacted_to or 0)


def log_page(statements: Statements, since: int, limit: int) -> tuple[LogPage, str | None]:
    """``statements`` see one state."""
    newest, floor, visibility = extent(statements)
    events = page(statements, since, limit).events
    return LogPage(events, bool(events) and events[-1].seq < newest, newest, floor), visibility


def _sized(statements: Statements, since: int, limit: int) -> list[Columns]:
    """A page whose rows fit in memory together, many pages being read at once; at least one entry."""
    while limit > 1:
        try:
            return statements.bounded(_PAGE, (since, limit), PAGE_CHARS_MAX)
        except DataError as error:
            if error.code != "PAYLOAD_TOO_LARGE":
                raise
            limit = max(1, limit // 8)
    return statements.all(_PAGE, (since, limit))


def renew_for(statements: Statements, visibility: str) -> int:
    """Start a new log when the read policies are not those it was written under: an insert for each row. The
    newest seq."""
    statements.one(_LOCK.decode())
    newest, _, of_log = extent(statements)
    if of_log == visibility:
        return newest
    statements.all(_NEW_ERA)
    if of_log is not None and newest:
        for text in (
            _KEEP_NEWEST_OF_EACH_ROW,
            "DELETE FROM _pylon_changes WHERE data IS NULL",
            "UPDATE _pylon_changes SET seq = -seq, kind = 'insert', before = NULL, delta = NULL",
        ):
            statements.all(text)
        statements.all("UPDATE _pylon_changes SET seq = ? - seq", (newest,))
        floor = newest + 1
        _set(statements, "floor", str(floor))
        statements.one(
            "SELECT setval('_pylon_changes_seq', greatest(?, (SELECT max(seq) FROM _pylon_changes)))", (floor,)
        )
    _set(statements, "visibility", visibility)
    newest = extent(statements).newest
    statements.all("SELECT pg_notify(?, ? || ' renewed')", (CHANNEL, str(newest)))
    return newest


def _set(statements: Statements, key: str, value: str) -> None:
    statements.all(_SET, (key, value))


def _encoded(row: Row | None) -> str | None:
    return None if row is None else jsontext.encode(row).decode()


def _decoded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else _row_decoder.decode(text)


def _event(columns: Sequence[Any]) -> ChangeEvent:
    seq, entity, row_id, kind, data, before, timestamp_ms, delta = columns
    row, pre_image = _decoded(data), _decoded(before)
    return ChangeEvent(seq, entity, row_id, ChangeKind(kind), row, pre_image, timestamp_ms, delta)
