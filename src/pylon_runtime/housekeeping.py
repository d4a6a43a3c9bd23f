"""The housekeeper: a thread for what has to be done now and then and would keep others waiting.

Once a minute it removes expired sessions (and closes their sockets thereby); ``sweep`` does one batch and says how
many it removed, and while batches are full the next follows at once. When it is asked to, it looks through the
sessions of the open sockets. What fails is logged and tried again at the next round. Any thread may ask; ``stop``
may be called from any thread, twice, or first.
"""

import threading
from collections.abc import Callable

import structlog

from pylon_auth.store import SWEEP_BATCH
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_runtime.threads import join, spawn

INTERVAL_S = 60.0
RETRY_S = 1.0
"""Until a review that failed is tried again: meanwhile somebody may see what is not theirs any more."""

_log = structlog.get_logger("pylon.housekeeping")


class Housekeeper:
    def __init__(
        self, sweep: Callable[[], int], review: Callable[[], None], clock: Clock, interval_s: float = INTERVAL_S
    ) -> None:
        self._sweep = sweep
        self._review = review
        self._clock = clock
        self._interval_s = interval_s
        self._next_sweep = clock.monotonic() + interval_s
        self._wake = threading.Event()
        self._is_review_due = False
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None and not self._is_stopped:
            self._thread = spawn("housekeeper", self._run)

    def stop(self, deadline: float) -> None:
        self._is_stopped = True
        self._wake.set()
        if self._thread is not None:
            join([self._thread], deadline, self._clock)

    def ask_for_review(self) -> None:
        """Have the sessions of the open sockets looked through. Never waits."""
        self._is_review_due = True
        self._wake.set()

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.wait(self._patience())
            self._wake.clear()
            if self._is_review_due:
                self._do_review()
            if self._clock.monotonic() >= self._next_sweep:
                self._do_sweep()

    def _patience(self) -> float:
        until_sweep = max(0.0, self._next_sweep - self._clock.monotonic())
        return min(until_sweep, RETRY_S) if self._is_review_due else until_sweep

    def _do_review(self) -> None:
        self._is_review_due = False
        try:
            self._review()
        except Exception as error:  # noqa: BLE001 - the top of the thread; what failed may work at the next round
            self._is_review_due = True
            if not is_away(error):
                _log.exception("review_failed")

    def _do_sweep(self) -> None:
        self._next_sweep = self._clock.monotonic() + self._interval_s
        try:
            while self._sweep() == SWEEP_BATCH and not self._is_stopped:
                pass
        except Exception as error:  # noqa: BLE001 - the same
            if not is_away(error):
                _log.exception("sweep_failed")


def is_away(error: Exception) -> bool:
    """Whether it says that the database is away, which the store itself logs."""
    return isinstance(error, PylonError) and error.code == "NOT_AVAILABLE"
