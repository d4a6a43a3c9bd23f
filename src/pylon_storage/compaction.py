"""Compacting the change log: what no cursor that is still served needs is dropped (design §3.3).

An entry that moved nobody's sight of its row is redundant as soon as the row has a later one. What did move it, a
deletion among them, is needed by the cursors before it for as long as they are promised to be served; then it
goes, and ``floor`` rises over it. Why that loses nothing: ARCHITECTURE.md, "The log is compacted".

Written once for every engine: one ordered pass of the database over the log finds what is outdated, and notes it
in a table of the connection's own, on its disk; short transactions, apart from each other, drop it in the order of
seqs. A ``Compactor`` is used by one thread; ``interrupt`` may be called by another.
"""

import enum
from collections.abc import Generator, Sequence
from functools import partial
from typing import NamedTuple

import structlog

from pylon_core.clock import Clock
from pylon_core.manifest import FieldKind
from pylon_storage.dialect import Dialect
from pylon_storage.statements import Columns, Statements
from pylon_storage.upkeep import Upkeep

SETTLING_S = 600.0
"""Entries younger than this are left alone: other servers have still to read them, and for what they add to
documents there is no other place."""
GROWTH_MIN = 1_000
GROWTH_SHARE = 0.25
"""A pass over the log is worth it when so much of it is new, so each write pays for a few entries looked at."""

BATCH_ENTRIES = 250
BATCH_S = 0.004
"""A transaction takes no further entries after this long: other writes wait for it."""
_SLICE_ENTRIES = 50

_TABLE = "CREATE TEMP TABLE _pylon_outdated (seq BIGINT PRIMARY KEY, fate INTEGER NOT NULL)"
_FIND = """
INSERT INTO _pylon_outdated SELECT seq, CASE WHEN NOT moved THEN 0 WHEN later IS NOT NULL OR gone THEN 1 ELSE 2 END
FROM (
  SELECT seq, moved, gone, lead(seq) OVER (PARTITION BY entity, row_id ORDER BY seq) AS later
  FROM (
    SELECT seq, entity, row_id, before IS NOT NULL OR data IS NULL AS moved, data IS NULL AS gone
    FROM _pylon_changes
  ) AS entry
) AS of_row
WHERE seq <= ? AND (later IS NOT NULL AND NOT moved OR seq <= ? AND moved) ORDER BY seq
"""
_COUNT = "SELECT (SELECT count(*) FROM _pylon_changes) - (SELECT count(*) FROM _pylon_outdated WHERE fate < 2)"
_NEXT = "SELECT seq, fate FROM _pylon_outdated WHERE seq > ? ORDER BY seq LIMIT ?"
_NEWEST = "SELECT coalesce(max(seq), 0) FROM _pylon_changes"
_FROM = "SELECT seq, timestamp_ms FROM _pylon_changes WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1"
_NOTES = "SELECT key, value FROM _pylon_meta WHERE key IN ('compacted_to', 'expired_to', 'compacted_size')"
_RAISE_FLOOR = (
    "INSERT INTO _pylon_meta (key, value) VALUES ('floor', ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    " WHERE CAST(_pylon_meta.value AS BIGINT) < CAST(excluded.value AS BIGINT)"
)
_NOTE = "INSERT INTO _pylon_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

log = structlog.get_logger("pylon.storage")


class Fate(enum.IntEnum):
    """What becomes of an outdated entry; the numbers are those of ``_FIND``."""

    REDUNDANT = 0
    """Dropped; no cursor needs it."""
    EXPIRED = 1
    """Dropped, and cursors before it are served no longer."""
    SETTLED = 2
    """It stays, as the row's newest, without what the row was before; cursors before it are served no longer."""


class Extent(NamedTuple):
    """How far a compaction goes: seqs up to which entries have settled, and up to which they have expired."""

    settled: int
    expired: int


class Compactor:
    """``retention_s`` is how long a cursor is served at least, whatever happens after it."""

    def __init__(
        self,
        upkeep: Upkeep,
        clock: Clock,
        retention_s: float,
        settling_s: float = SETTLING_S,
        batch_entries: int = BATCH_ENTRIES,
    ) -> None:
        self._upkeep = upkeep
        self._clock = clock
        self._settling_s = settling_s
        self._retention_s = max(retention_s, settling_s)
        self._batch_entries = batch_entries

    def is_due(self) -> bool:
        """Whether enough has settled or expired since the last compaction, by whatever server."""
        with self._upkeep.reading() as statements:
            extent = self._extent(statements)
            noted = _notes(statements)
        past, size = (noted.get(key, 0) for key in ("compacted_to", "compacted_size"))
        grown = extent.settled - past + extent.expired - noted.get("expired_to", 0)
        return grown >= max(GROWTH_MIN, size * GROWTH_SHARE)

    def run(self) -> Generator[None, None, None]:
        """Compact; between two steps, each of them short save the first, is time for others and for an end."""
        with self._upkeep.surveying() as survey:
            if survey is None:
                return
            begun = self._clock.monotonic()
            extent = self._extent(survey)
            survey.write(_TABLE)
            survey.write(_FIND, extent)
            self._upkeep.write(partial(_note, extent, _count(survey)))
            yield
            dropped = 0
            batch = survey.all(_NEXT, (0, self._batch_entries))
            while batch:
                done = self._upkeep.write(partial(self._drop, batch))
                dropped += done
                yield
                batch = survey.all(_NEXT, (batch[done - 1][0], self._batch_entries))
        seconds = round(self._clock.monotonic() - begun, 3)
        log.info("log_compacted", entries=dropped, compacted_to=extent.settled, seconds=seconds)

    def interrupt(self) -> None:
        """Have a step that runs raise DataError, if it is the long one."""
        self._upkeep.interrupt()

    def _extent(self, statements: Statements) -> Extent:
        now_ms = self._clock.now_ns() // 1_000_000
        return Extent(
            _last_up_to(statements, now_ms - int(1000 * self._settling_s)),
            _last_up_to(statements, now_ms - int(1000 * self._retention_s)),
        )

    def _drop(self, batch: Sequence[Columns], statements: Statements) -> int:
        """Deal with as many as there is time for; how many. Atomic, so the floor and what is below it agree."""
        end = self._clock.monotonic() + BATCH_S
        done = 0
        while done < len(batch) and (not done or self._clock.monotonic() < end):
            part = batch[done : done + _SLICE_ENTRIES]
            _drop(statements, self._upkeep.dialect, part)
            done += len(part)
        return done


def _drop(statements: Statements, dialect: Dialect, outdated: Sequence[Columns]) -> None:
    needed = [seq for seq, fate in outdated if fate != Fate.REDUNDANT]
    if needed:
        statements.write(_RAISE_FLOOR, (str(needed[-1]),))
    is_one = dialect.member("seq", FieldKind.INT)
    dropped = [seq for seq, fate in outdated if fate != Fate.SETTLED]
    if dropped:
        statements.write(f"DELETE FROM _pylon_changes WHERE {is_one}", (dialect.members(dropped, FieldKind.INT),))
    kept = [seq for seq, fate in outdated if fate == Fate.SETTLED]
    if kept:
        # Meanwhile it may have become the last trace of a row that is to be forgotten, and is nothing without it.
        statements.write(
            f"UPDATE _pylon_changes SET before = NULL, delta = NULL WHERE data IS NOT NULL AND {is_one}",
            (dialect.members(kept, FieldKind.INT),),
        )


def _last_up_to(statements: Statements, moment_ms: int) -> int:
    """The seq of the last entry up to a moment; 0 when there is none. Found by halving, for which times that are
    not quite in the order of seqs do no harm."""
    (newest,) = statements.one(_NEWEST) or (0,)
    low, high = 0, int(newest)
    while low < high:
        middle = (low + high + 1) // 2
        found = statements.one(_FROM, (middle, high))
        if found is not None and found[1] <= moment_ms:
            low = int(found[0])
        else:
            high = middle - 1
    return low


def _count(survey: Statements) -> int:
    """How many entries will be left."""
    found = survey.one(_COUNT)
    assert found is not None
    return int(found[0])


def _notes(statements: Statements) -> dict[str, int]:
    return {key: int(value) for key, value in statements.all(_NOTES)}


def _note(extent: Extent, size: int, statements: Statements) -> None:
    """Before anything is dropped: whoever has not read the log up to ``compacted_to`` must not go on reading it as
    if it had everything."""
    for key, value in (
        ("compacted_to", extent.settled),
        ("expired_to", extent.expired),
        ("compacted_size", size),
    ):
        statements.write(_NOTE, (key, str(value)))
