"""The log keeper: a thread that has the change log compacted, and forgotten what nobody will ask for again: old op
ids, jobs and workflows that ended.

Apart from the housekeeper, whose reviews must not wait for a pass over a large log. Once a minute it asks each
chore whether it is due, and does it in steps, with a pause after each in which everybody else writes. What fails
is logged and tried again at the next round. ``stop`` may be called from any thread, twice, or first; it interrupts
a step that is long.
"""

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Protocol

import structlog

from pylon_core.clock import Clock
from pylon_runtime.housekeeping import is_away
from pylon_runtime.threads import join, spawn

INTERVAL_S = 60.0
PAUSE_S = 0.01
_INTERRUPT_S = 0.1
"""How often a long step is told to end: it may not have begun when it was told first."""

_log = structlog.get_logger("pylon.housekeeping")


class Chore(Protocol):
    def is_due(self) -> bool: ...

    def run(self) -> Generator[None, None, None]:
        """Do it; between two steps there is time for others, and it may be given up."""

    def interrupt(self) -> None:
        """Have a long step that runs on another thread raise."""


class LogKeeper:
    def __init__(
        self, chores: Sequence[Chore], clock: Clock, interval_s: float = INTERVAL_S, pause_s: float = PAUSE_S
    ) -> None:
        self._chores = chores
        self._clock = clock
        self._interval_s = interval_s
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None and not self._stopped.is_set():
            self._thread = spawn("log-keeper", self._run)

    def stop(self, deadline: float) -> None:
        self._stopped.set()
        thread = self._thread
        if thread is None:
            return
        while thread.is_alive() and self._clock.monotonic() < deadline:
            for chore in self._chores:
                chore.interrupt()
            thread.join(_INTERRUPT_S)
        join([thread], deadline, self._clock)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            for chore in self._chores:
                self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            if self._stopped.is_set() or not chore.is_due():
                return
            with closing(chore.run()) as steps:
                for _ in steps:
                    if self._stopped.wait(self._pause_s):
                        return
        except Exception as error:  # noqa: BLE001 - the top of the thread; what failed may work at the next round
            if not is_away(error) and not self._stopped.is_set():
                _log.exception("log_keeping_failed", chore=type(chore).__name__)
