"""Calls that other threads ask the dispatcher to make, in the order they were posted.

Any thread may post; the lock guards the list and whether the bell was rung since it was last emptied.
"""

import threading
from collections.abc import Callable

from pylon_runtime.hub.prompt_io import Bell

Call = Callable[[], None]


class Mailbox:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._is_rung = False
        self._is_closed = False
        self._bell = Bell()

    @property
    def fd(self) -> int:
        """Readable when there is something to take."""
        return self._bell.fd

    def post(self, call: Call) -> bool:
        """False once closed: the call will not be made."""
        with self._lock:
            if self._is_closed:
                return False
            self._calls.append(call)
            self._ring()
            return True

    def ring(self) -> None:
        """Have the dispatcher look at the log and the relays."""
        with self._lock:
            if not self._is_closed:
                self._ring()

    def take(self) -> list[Call]:
        with self._lock:
            return self._empty()

    def close(self) -> list[Call]:
        """Refuse further calls; the last ones are the caller's to make."""
        with self._lock:
            if self._is_closed:
                return []
            calls = self._empty()
            self._is_closed = True
            self._bell.close()
            return calls

    def _ring(self) -> None:
        if not self._is_rung:
            self._is_rung = True
            self._bell.ring()

    def _empty(self) -> list[Call]:
        if self._is_rung:
            self._is_rung = False
            self._bell.hush()
        calls, self._calls = self._calls, []
        return calls
