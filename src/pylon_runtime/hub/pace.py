"""How fast the requests of one connection are served: a burst at once, the rest evenly.

Unlike relays, which are dropped, a request that was passed over would leave its client waiting for ever; so the
reader waits, and TCP makes the client wait. Used by the connection's reader thread alone.
"""

from pylon_core.clock import Clock
from pylon_runtime.hub.limits import HubLimits


class RequestPace:
    __slots__ = ("_ahead_s", "_clock", "_due", "_interval_s")

    def __init__(self, limits: HubLimits, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = 1 / limits.requests_per_s
        self._ahead_s = limits.requests_burst / limits.requests_per_s
        self._due = clock.monotonic() - self._ahead_s
        """When the next request would be served if all came evenly."""

    def wait_s(self) -> float:
        """Take up the next request; how long to wait before it is served."""
        now = self._clock.monotonic()
        self._due = max(self._due, now - self._ahead_s) + self._interval_s
        return max(0.0, self._due - now)
