"""Named points at which a test can stop the world: free in production, chosen and not hoped for in tests.

``PYLON_FAULTS="store.before_publish:3"`` makes the third arrival at that point kill the process as a power
cut would. Only the composition root reads the variable; everything else is handed a ``FaultPoints``.
"""

import itertools
import os
import signal
from collections.abc import Callable, Mapping
from typing import Protocol


class FaultPoints(Protocol):
    def hit(self, name: str) -> None:
        """The calling thread has arrived at the point ``name``."""


class NoFaults:
    def hit(self, name: str) -> None:
        """Nothing is armed."""


def _kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class ArmedFaults:
    """Acts at the nth arrival at each named point. ``itertools.count`` makes the count safe from any thread."""

    def __init__(self, armed: Mapping[str, int], act: Callable[[], None] = _kill_this_process) -> None:
        self._armed = {name: (nth, itertools.count(1)) for name, nth in armed.items()}
        self._act = act

    def hit(self, name: str) -> None:
        if name in self._armed:
            nth, arrivals = self._armed[name]
            if next(arrivals) == nth:
                self._act()


def parse_faults(text: str) -> FaultPoints:
    """``"a:1,b:20"`` as fault points; an empty text arms nothing."""
    if not text:
        return NoFaults()
    pairs = (part.rpartition(":") for part in text.split(","))
    return ArmedFaults({name: int(nth) for name, _, nth in pairs})
