"""The log keeper's chore of forgetting workflows that ended long ago.

Used by the log keeper's thread; each step is one short transaction, so there is nothing to interrupt.
"""

from collections.abc import Generator

from pylon_core.clock import Clock
from pylon_http.workflows import WorkflowStore

INTERVAL_S = 3_600.0
BATCH = 100

_DAY_MS = 86_400_000


class WorkflowSweeper:
    def __init__(self, store: WorkflowStore, clock: Clock, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_ms = retention_days * _DAY_MS
        self._next = clock.monotonic()

    def is_due(self) -> bool:
        return self._clock.monotonic() >= self._next

    def run(self) -> Generator[None, None, None]:
        before_ms = self._clock.now_ns() // 1_000_000 - self._retention_ms
        while self._store.forget(before_ms, BATCH):
            yield
        self._next = self._clock.monotonic() + INTERVAL_S

    def interrupt(self) -> None:
        """No step is long."""
