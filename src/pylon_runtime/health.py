"""``/health``: whether the process lives, and at ``/health?ready=1`` whether requests should be sent to it.

The first is for whoever restarts a process that hangs: it is 200 as long as anything is answered, for no restart
brings a database back. The second is for load balancers: 503 while the database is away. Neither waits for
anything. Any thread may call it.
"""

from collections.abc import Callable

from pylon_core.clock import Clock
from pylon_http import Response

_LIVE = "/health"
_READY = "/health?ready=1"


class Health:
    def __init__(self, has_database: Callable[[], bool], clock: Clock, version: str) -> None:
        """``has_database`` says whether the database answered when it was last spoken to."""
        self._has_database = has_database
        self._clock = clock
        self._version = version
        self._started = clock.monotonic()

    def answer(self, target: str) -> Response | None:
        """``None`` for a target that does not ask for health."""
        if target not in (_LIVE, _READY):
            return None
        has_database = self._has_database()
        is_well = has_database or target == _LIVE
        body = {
            "status": "ok" if is_well else "unavailable",
            "database": "ok" if has_database else "unavailable",
            "uptime_secs": int(self._clock.monotonic() - self._started),
            "version": self._version,
        }
        return Response.json(body, 200 if is_well else 503)
