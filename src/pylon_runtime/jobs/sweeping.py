"""The log keeper's chore of forgetting jobs that ended long ago.

Used by the log keeper's thread; each step is one short transaction, so there is nothing to interrupt.
"""

from collections.abc import Generator

from pylon_core.clock import Clock
from pylon_http.jobs import JobStore

INTERVAL_S = 3_600.0
BATCH_JOBS = 500
DEAD_DAYS = 30
"""Somebody has to look at them; they are kept longer than the others."""

_DAY_MS = 86_400_000


class JobSweeper:
    def __init__(self, store: JobStore, clock: Clock, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._ended_ms = retention_days * _DAY_MS
        self._dead_ms = max(retention_days, DEAD_DAYS) * _DAY_MS
        self._next = clock.monotonic()

    def is_due(self) -> bool:
        return self._clock.monotonic() >= self._next

    def run(self) -> Generator[None, None, None]:
        now_ms = self._clock.now_ns() // 1_000_000
        while self._store.forget(now_ms - self._ended_ms, now_ms - self._dead_ms, BATCH_JOBS):
            yield
        self._next = self._clock.monotonic() + INTERVAL_S

    def interrupt(self) -> None:
        """No step is long."""
