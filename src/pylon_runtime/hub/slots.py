"""How many sockets each holder, an address or a user, has open. Any thread may ask; the lock guards the counts."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pylon_core.errors import PylonError

_RETRY_AFTER_S = 5
"""When to try again: a slot is free as soon as another socket of the holder has closed."""


class Slots:
    """``holders`` names, in a refusal, who has too many."""

    def __init__(self, per_holder_max: int, holders: str) -> None:
        self._per_holder_max = per_holder_max
        self._holders = holders
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def claim(self, holder: str) -> Iterator[None]:
        """Hold a slot during the body. Raises RATE_LIMITED when the holder has none left."""
        with self._lock:
            if self._taken[holder] >= self._per_holder_max:
                raise PylonError(
                    "RATE_LIMITED",
                    f"This {self._holders} has too many open sockets.",
                    details={"retry_after_secs": _RETRY_AFTER_S},
                )
            self._taken[holder] += 1
        try:
            yield
        finally:
            self._give_back(holder)

    def _give_back(self, holder: str) -> None:
        with self._lock:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]
