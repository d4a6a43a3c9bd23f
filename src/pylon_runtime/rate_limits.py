"""How often somebody may do something: a sliding window for each key.

Of each key the times of the calls that were let through are kept, so no window of that length, wherever it
begins, ever has more than allowed. Where very many are allowed several calls share one time, the newest of them:
who is at the limit may then wait a little longer, and never less.

Memory is bounded over all keys: beyond that, those that were let through longest ago are forgotten and start
anew, so a flood of new keys takes no more memory and shuts nobody out. Any thread may call; the lock guards the
logs. Each process counts for itself.
"""

import math
import threading
from collections import OrderedDict

from pylon_core.clock import Clock

TIMES_PER_KEY_MAX = 128
TIMES_MAX = 200_000
"""Of all keys together, about 20 MB; 70 MB should each be of a key of its own."""

_Log = list[tuple[float, int]]
"""When calls were let through, and how many; oldest first. No deque: most are short, and that takes a kilobyte."""


class RateLimiter:
    """Lets ``calls_max`` calls of a key through in any ``window_s``."""

    def __init__(self, calls_max: int, window_s: float, clock: Clock, *, times_max: int = TIMES_MAX) -> None:
        self._calls_max = calls_max
        self._window_s = window_s
        self._clock = clock
        self._times_max = times_max
        self._share = math.ceil(calls_max / TIMES_PER_KEY_MAX)
        """How many calls share one time."""
        self._lock = threading.Lock()
        self._logs: OrderedDict[str, _Log] = OrderedDict()
        self._times = 0

    def admit(self, key: str) -> int:
        """Count one call; 0 when it may go on, else the whole seconds until the next one may. A call that may not
        go on is not counted."""
        with self._lock:
            now = self._clock.monotonic()
            log = self._current(key, now)
            if sum(calls for _, calls in log) >= self._calls_max:
                return max(1, math.ceil(round(log[0][0] + self._window_s - now, 6)))
            self._count(log, now)
            self._logs[key] = log
            self._logs.move_to_end(key)
            self._forget(now)
            return 0

    def _current(self, key: str, now: float) -> _Log:
        """What of a key's log is within the window."""
        log = self._logs.get(key)
        if log is None:
            return []
        expired = sum(time + self._window_s <= now for time, _ in log)
        del log[:expired]
        self._times -= expired
        return log

    def _count(self, log: _Log, now: float) -> None:
        if log and log[-1][1] < self._share:
            log[-1] = (now, log[-1][1] + 1)
        else:
            log.append((now, 1))
            self._times += 1

    def _forget(self, now: float) -> None:
        """Drop keys of which nothing is within the window, and as many more as there is no room for."""
        while True:
            key, oldest = next(iter(self._logs.items()))
            if self._times <= self._times_max and oldest[-1][0] > now - self._window_s:
                return
            del self._logs[key]
            self._times -= len(oldest)
