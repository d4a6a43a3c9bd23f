"""The change log in its table: append inside the writing transaction, read by cursor (design §3.3).

Seqs come from a counter that the transaction carries, so the order of seqs is the order of commits; they go on
after a restart from the newest entry, or from ``floor``. ``_pylon_meta`` keeps ``floor`` (the oldest cursor still
served) and ``visibility`` (a fingerprint of the read policies). What an entry keeps of the row before it is what
the policies of its time looked at, so it cannot be judged by others: when they change, the log shrinks to the rows
there are, beyond every cursor given out before, and their holders start again.
"""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from pylon_core import jsontext
from pylon_http import ChangeEvent, ChangeKind, LogPage
from pylon_storage.budget import PAGE_CHARS_MAX

TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS _pylon_changes (seq INTEGER PRIMARY KEY, entity TEXT NOT NULL,"
        " row_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT, before TEXT, timestamp_ms INTEGER NOT NULL,"
        " delta BLOB)"
    ),
    "CREATE TABLE IF NOT EXISTS _pylon_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    (
        "CREATE TABLE IF NOT EXISTS _pylon_ops (scope TEXT NOT NULL, op_id TEXT NOT NULL, row_id TEXT NOT NULL,"
        " timestamp_ms INTEGER NOT NULL, PRIMARY KEY (scope, op_id)) WITHOUT ROWID"
    ),
)
_APPEND = "INSERT INTO _pylon_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PAGE = "SELECT * FROM _pylon_changes WHERE seq > ? ORDER BY seq LIMIT ?"
_KEEP_NEWEST_OF_EACH_ROW = (
    "DELETE FROM _pylon_changes WHERE seq NOT IN (SELECT max(seq) FROM _pylon_changes GROUP BY entity, row_id)"
)

_row_decoder = msgspec.json.Decoder(dict)


def append(connection: apsw.Connection, event: ChangeEvent) -> None:
    connection.execute(
        _APPEND,
        (
            event.seq,
            event.entity,
            event.row_id,
            event.kind.value,
            None if event.row is None else jsontext.encode(event.row).decode(),
            None if event.before is None else jsontext.encode(event.before).decode(),
            event.timestamp_ms,
            event.delta,
        ),
    )


def head(connection: apsw.Connection) -> int:
    newest = int(connection.execute("SELECT coalesce(max(seq), 0) FROM _pylon_changes").get)
    return max(newest, floor(connection))


def page(connection: apsw.Connection, since: int, limit: int) -> tuple[Sequence[ChangeEvent], bool]:
    """At most ``limit`` entries after ``since``, or ``PAGE_CHARS_MAX`` and one more; whether more follow."""
    events: list[ChangeEvent] = []
    chars = 0
    entries = connection.execute(_PAGE, (since, limit + 1))
    for columns in entries:
        if len(events) == limit or chars > PAGE_CHARS_MAX:
            entries.close(force=True)
            return events, True
        events.append(_event(columns))
        chars += len(columns[4] or "")
    return events, False


def floor(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT value FROM _pylon_meta WHERE key = 'floor'").get or 0)


def renew_for(connection: apsw.Connection, visibility: str) -> None:
    """Start a new log when the read policies are not those it was written under: an insert for each row."""
    before = connection.execute("SELECT value FROM _pylon_meta WHERE key = 'visibility'").get
    if before == visibility:
        return
    newest = head(connection)
    if before is not None and newest:
        connection.execute(_KEEP_NEWEST_OF_EACH_ROW)
        connection.execute("DELETE FROM _pylon_changes WHERE data IS NULL")
        connection.execute("UPDATE _pylon_changes SET seq = -seq, kind = 'insert', before = NULL, delta = NULL")
        connection.execute("UPDATE _pylon_changes SET seq = ? - seq", (newest,))
        _set(connection, "floor", str(newest + 1))
    _set(connection, "visibility", visibility)


def start_at(connection: apsw.Connection, seq: int) -> None:
    """Begin with an empty log; every cursor below ``seq`` is no longer served."""
    connection.execute("DELETE FROM _pylon_changes")
    connection.execute("DELETE FROM _pylon_ops")
    _set(connection, "floor", str(seq))


def log_page(connection: apsw.Connection, since: int, limit: int, newest: int) -> LogPage:
    """The floor is that of the same state: a page of before it rose, or of after, would be taken for complete."""
    connection.execute("BEGIN")
    try:
        events, has_more = page(connection, since, limit)
        lowest = floor(connection)
    finally:
        connection.execute("ROLLBACK")
    last = events[-1].seq if events else 0
    return LogPage(events, has_more, max(newest, last, lowest), lowest)


def _set(connection: apsw.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO _pylon_meta VALUES (?, ?)", (key, value))


def _event(columns: tuple[Any, ...]) -> ChangeEvent:
    seq, entity, row_id, kind, data, before, timestamp_ms, delta = columns
    row, pre_image = _decoded(data), _decoded(before)
    return ChangeEvent(seq, entity, row_id, ChangeKind(kind), row, pre_image, timestamp_ms, delta)


def _decoded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else _row_decoder.decode(text)
