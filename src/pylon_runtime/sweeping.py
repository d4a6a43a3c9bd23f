"""The log keeper's chore of forgetting, once an hour, what ended long ago.

Used by the log keeper's thread; each step is one short transaction, so there is nothing to interrupt.
"""

from collections.abc import Callable, Generator

from pylon_core.clock import Clock

INTERVAL_S = 3_600.0
DAY_MS = 86_400_000


class Sweeper:
    """``forget`` is told the time in milliseconds, and removes a batch: how many; 0 when nothing is left."""

    def __init__(self, forget: Callable[[int], int], clock: Clock) -> None:
        self._forget = forget
        self._clock = clock
        self._next = clock.monotonic()

    def is_due(self) -> bool:
        return self._clock.monotonic() >= self._next

    def run(self) -> Generator[None, None, None]:
        now_ms = self._clock.now_ns() // 1_000_000
        while self._forget(now_ms):
            yield
        self._next = self._clock.monotonic() + INTERVAL_S

    def interrupt(self) -> None:
        """No step is long."""
