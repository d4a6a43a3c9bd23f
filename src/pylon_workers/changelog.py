"""The change log in D1 (design §3.3): the tables and the order of seqs are those of the SQLite store."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_http import ChangeEvent, ChangeKind
from pylon_storage.statements import Columns, Statements
from pylon_workers.executor import Statement

_PAGE = "SELECT * FROM _pylon_changes WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_NEWEST = "SELECT coalesce(max(seq), 0) FROM _pylon_changes"
_META = "SELECT value FROM _pylon_meta WHERE key = ?"
_SET_META = "INSERT OR REPLACE INTO _pylon_meta VALUES (?, ?)"
_KEEP_NEWEST_OF_EACH_ROW = (
    "DELETE FROM _pylon_changes WHERE seq NOT IN (SELECT max(seq) FROM _pylon_changes GROUP BY entity, row_id)"
)

_row_decoder = msgspec.json.Decoder(dict)


def appended(event: ChangeEvent) -> Statement:
    return Statement(
        "INSERT INTO _pylon_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
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


def removed(event: ChangeEvent) -> Statement:
    return Statement("DELETE FROM _pylon_changes WHERE seq = ?", (event.seq,))


def head(statements: Statements) -> int:
    newest = statements.one(_NEWEST)
    assert newest is not None
    return max(int(newest[0]), floor(statements))


def floor(statements: Statements) -> int:
    return int(_meta(statements, "floor") or 0)


def page(statements: Statements, since: int, newest: int, limit: int) -> tuple[Sequence[ChangeEvent], bool]:
    """At most ``limit`` entries after ``since`` and up to ``newest``, and whether more follow."""
    found = statements.all(_PAGE, (since, newest, limit + 1))
    return [_event(columns) for columns in found[:limit]], len(found) > limit


def renewal(statements: Statements, visibility: str) -> list[Statement]:
    """What starts a new log when the read policies are not those it was written under: an insert for each row."""
    before = _meta(statements, "visibility")
    if before == visibility:
        return []
    renew = [Statement(_SET_META, ("visibility", visibility))]
    newest = head(statements)
    if before is not None and newest:
        renew += [
            Statement(_KEEP_NEWEST_OF_EACH_ROW),
            Statement("DELETE FROM _pylon_changes WHERE data IS NULL"),
            Statement("UPDATE _pylon_changes SET seq = -seq, kind = 'insert', before = NULL, delta = NULL"),
            Statement("UPDATE _pylon_changes SET seq = ? - seq", (newest,)),
            Statement(_SET_META, ("floor", str(newest + 1))),
        ]
    return renew


def _meta(statements: Statements, key: str) -> str | None:
    found = statements.one(_META, (key,))
    return None if found is None else str(found[0])


def _event(columns: Columns) -> ChangeEvent:
    seq, entity, row_id, kind, data, before, timestamp_ms, delta = columns
    row, pre_image = _decoded(data), _decoded(before)
    return ChangeEvent(seq, entity, row_id, ChangeKind(kind), row, pre_image, timestamp_ms, delta)


def _decoded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else _row_decoder.decode(text)
