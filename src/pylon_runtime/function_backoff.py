"""How long to wait after processes of functions could not be started: longer each time, up to half a minute.

Only starts that fail count; what a handler does to its process is no failure. The supervisor's thread calls it,
and ``forgive`` whoever reloads, under the condition of the roles.
"""

import structlog

from pylon_core.clock import Clock
from pylon_runtime.function_launch import StartFailed

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 30.0

_log = structlog.get_logger("pylon.functions")


class Backoff:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._retry_at = 0.0
        self._reason_logged: str | None = None

    def left_s(self) -> float:
        """How long no start is to be tried yet; not above zero when one may be."""
        return self._retry_at - self._clock.monotonic()

    def failed(self) -> float:
        """A start failed; the pause that it deserves."""
        pause_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0**self._failures)
        self._failures += 1
        return pause_s

    def hold(self, pause_s: float) -> None:
        self._retry_at = self._clock.monotonic() + pause_s

    def log(self, failure: StartFailed) -> None:
        """Once: an app without functions fails every half minute."""
        if str(failure) != self._reason_logged:
            self._reason_logged = str(failure)
            _log.warning("functions_not_started", reason=self._reason_logged)

    def succeeded(self) -> None:
        self._failures = 0
        self._reason_logged = None

    def forgive(self) -> None:
        """What is started from now on is not what failed before."""
        self._failures = 0
        self._retry_at = 0.0
