"""The scheduler: a thread that enqueues what is due by the clock, and sleeps until something is again.

A pass that fails is logged and made again soon. ``stop`` may be called from any thread, twice, or first.
"""

import threading

import structlog

from pylon_core.clock import Clock
from pylon_runtime.housekeeping import is_away
from pylon_runtime.jobs.schedules import Schedules
from pylon_runtime.threads import join, spawn

RETRY_S = 1.0

log = structlog.get_logger("pylon.jobs")


class Scheduler:
    def __init__(self, schedules: Schedules, clock: Clock) -> None:
        self._schedules = schedules
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None and not self._stopped.is_set():
            self._thread = spawn("scheduler", self._run)

    def stop(self, deadline: float) -> None:
        self._stopped.set()
        if self._thread is not None:
            join([self._thread], deadline, self._clock)

    def _run(self) -> None:
        patience_s = 0.0
        while not self._stopped.wait(patience_s):
            patience_s = self._pass()

    def _pass(self) -> float:
        try:
            return self._schedules.enqueue_due()
        except Exception as error:
            if not is_away(error):
                log.exception("schedules_failed")
            return RETRY_S
