"""The housekeeper: a thread that removes expired sessions once a minute (and closes their sockets thereby).

``sweep`` does one batch and says how many it removed; while batches are full the next follows at once. A sweep
that fails is logged and tried again at the next round. ``stop`` may be called from any thread, twice, or first.
"""

import threading
from collections.abc import Callable

import structlog

from pylon_auth.store import SWEEP_BATCH
from pylon_core.clock import Clock
from pylon_runtime.threads import join, spawn

INTERVAL_S = 60.0

_log = structlog.get_logger("pylon.housekeeping")


class Housekeeper:
    def __init__(self, sweep: Callable[[], int], clock: Clock, interval_s: float = INTERVAL_S) -> None:
        self._sweep = sweep
        self._clock = clock
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None and not self._stop.is_set():
            self._thread = spawn("housekeeper", self._run)

    def stop(self, deadline: float) -> None:
        self._stop.set()
        if self._thread is not None:
            join([self._thread], deadline, self._clock)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                while self._sweep() == SWEEP_BATCH and not self._stop.is_set():
                    pass
            except Exception:  # noqa: BLE001 - the top of the thread; what failed now may work at the next round
                _log.exception("sweep_failed")
