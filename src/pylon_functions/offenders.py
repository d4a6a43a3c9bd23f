"""Which functions lately ended, or kept from moving, the process that they ran in.

What a function did once it does again, so for a while its calls are run apart from the others' (``Turn.KNOWN``),
who then have nothing to fear from it. That is for those that are *convicted*: they did it with a process to
themselves. One that is merely *suspected*, because nobody could tell, has its next call run apart, which tells.

Any thread may call; the lock guards both maps. There are only names of functions in them, ``REMEMBERED_MAX`` at
most in each; of more, that is forgotten which did it longest ago.
"""

import threading
from collections import OrderedDict

from pylon_core.clock import Clock

MEMORY_S = 30.0
"""For how long after it was last convicted, or suspected, a function is not trusted."""
REMEMBERED_MAX = 256


class Offenders:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._convicted: OrderedDict[str, float] = OrderedDict()
        self._suspected: OrderedDict[str, float] = OrderedDict()

    def convict(self, function: str) -> None:
        with self._lock:
            self._remember(self._convicted, function)

    def suspect(self, function: str) -> None:
        with self._lock:
            self._remember(self._suspected, function)

    def goes_apart(self, function: str) -> bool:
        """Whether a call of it that is made now should be run apart. The first to ask takes a suspicion away."""
        if not self._convicted and not self._suspected:
            return False
        now = self._clock.monotonic()
        with self._lock:
            if now < self._suspected.pop(function, now):
                return True
            is_convicted = now < self._convicted.get(function, now)
            if not is_convicted:
                self._convicted.pop(function, None)
            return is_convicted

    def _remember(self, until: OrderedDict[str, float], function: str) -> None:
        until[function] = self._clock.monotonic() + MEMORY_S
        until.move_to_end(function)
        if len(until) > REMEMBERED_MAX:
            until.popitem(last=False)
