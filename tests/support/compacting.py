"""Compacting a store's change log as if time had passed."""

from pylon_core.clock import SystemClock
from pylon_storage.compaction import Compactor
from pylon_storage.upkeep import Upkeep

DAY_S = 86_400.0
RETENTION_S = 30 * DAY_S


class Later(SystemClock):
    """The time it will be in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._ns = int(seconds * 1e9)

    def now_ns(self) -> int:
        return super().now_ns() + self._ns


def compact(upkeep: Upkeep, after_s: float, *, settling_s: float = 0.0) -> None:
    """As it would be after so long, with a retention of ``RETENTION_S``."""
    for _ in Compactor(upkeep, Later(after_s), RETENTION_S, settling_s).run():
        pass
