"""Forgetting the op ids of pushes that were applied long ago: nobody sends those again.

A walk along the table's own order, a page at a time, once a day; what is old on a page goes in a transaction of
its own. An ``OperationSweeper`` is used by one thread; ``interrupt`` may be called by another.
"""

from collections.abc import Generator
from functools import partial

from pylon_core.clock import Clock
from pylon_storage.statements import Statements
from pylon_storage.upkeep import Upkeep

INTERVAL_S = 86_400.0
PAGE_KEYS = 1_000

_PAGE = (
    "SELECT scope, op_id, timestamp_ms FROM _pylon_ops WHERE (scope, op_id) > (?, ?)"
    f" ORDER BY scope, op_id LIMIT {PAGE_KEYS}"
)
_FORGET = "DELETE FROM _pylon_ops WHERE (scope, op_id) > (?, ?) AND (scope, op_id) <= (?, ?) AND timestamp_ms < ?"
_LAST = "SELECT value FROM _pylon_meta WHERE key = 'operations_swept_ms'"
_NOTE = (
    "INSERT INTO _pylon_meta (key, value) VALUES ('operations_swept_ms', ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)

Key = tuple[str, str]


class OperationSweeper:
    """``retention_s`` is how long an op id is remembered at least."""

    def __init__(self, upkeep: Upkeep, clock: Clock, retention_s: float) -> None:
        self._upkeep = upkeep
        self._clock = clock
        self._retention_ms = int(1000 * retention_s)

    def is_due(self) -> bool:
        with self._upkeep.reading() as statements:
            (last,) = statements.one(_LAST) or (0,)
        return self._now_ms() - int(last) >= 1000 * INTERVAL_S

    def run(self) -> Generator[None, None, None]:
        """One walk; between two of its steps is time for others and for an end."""
        with self._upkeep.surveying() as survey:
            if survey is None:
                return
            begun_ms = self._now_ms()
            start: Key = ("", "")
            while page := survey.all(_PAGE, start):
                end: Key = page[-1][:2]
                oldest_ms = begun_ms - self._retention_ms
                if any(timestamp_ms < oldest_ms for _, _, timestamp_ms in page):
                    self._upkeep.write(partial(_forget, start, end, oldest_ms))
                start = end
                yield
            self._upkeep.write(lambda statements: statements.write(_NOTE, (str(begun_ms),)))

    def interrupt(self) -> None:
        self._upkeep.interrupt()

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _forget(start: Key, end: Key, oldest_ms: int, statements: Statements) -> None:
    statements.write(_FORGET, (*start, *end, oldest_ms))
