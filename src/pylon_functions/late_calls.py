"""When a call was last given up because its own time was over. It may have kept the database to itself until then.

Any thread may call; the condition guards the moment.
"""

import threading

from pylon_core.clock import Clock
from pylon_core.turns import blocking


class LateCalls:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._last = float("-inf")

    def note(self) -> None:
        with self._changed:
            self._last = self._clock.monotonic()
            self._changed.notify_all()

    def is_one_since(self, moment: float, patience_s: float) -> bool:
        """Whether there was one since then, or is one soon: of two whose time ends in one moment either may be the
        first to hear of it."""
        with blocking(), self._changed:
            return self._changed.wait_for(lambda: self._last >= moment, patience_s)
