"""Row ids: 40 hex digits whose text order is their creation order (contract 12 §5)."""

import re
import threading

from pylon_core.clock import Clock

_CLIENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}\Z")


def is_client_row_id(text: str) -> bool:
    """Whether a client may name a row so: 1 to 128 of letters, digits, ``_ . : -``, safe in every URL."""
    return _CLIENT_ID.match(text) is not None


class RowIds:
    """Makes ids: 32 hex digits of nanoseconds, then 8 of a counter, which begins after ``start``: processes that
    write to one database begin somewhere else each, so that one nanosecond is enough for all of them.

    Any thread may call ``next``; the lock guards the last time used, so ids of one process strictly increase
    even when the wall clock goes back.
    """

    def __init__(self, clock: Clock, start: int = 0) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last_ns = 0
        self._count = start

    def next(self) -> str:
        with self._lock:
            self._last_ns = max(self._last_ns, self._clock.now_ns())
            self._count += 1
            if self._count > 0xFFFFFFFF:
                self._count = 1
                self._last_ns += 1
            return f"{self._last_ns:032x}{self._count:08x}"
