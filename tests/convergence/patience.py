"""Waiting for what servers do on threads of their own. One thread uses it.

Only for what another server must hear first: whatever one server does by itself can be asked for
(``AppServer.has_told``), so it fails at once.
"""

import time
from collections.abc import Callable

FIRST_S = 10.0
PAUSE_S = 0.001


class Patience:
    """Long the first time; once it was in vain it is ``later_s``, for the same failure is looked for in ever
    smaller examples."""

    def __init__(self, later_s: float) -> None:
        self._seconds = FIRST_S
        self._later_s = later_s

    def until(self, holds: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + self._seconds
        while not holds():
            if time.monotonic() >= deadline:
                self._seconds = self._later_s
                raise AssertionError(complaint)
            time.sleep(PAUSE_S)
