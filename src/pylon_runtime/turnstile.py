"""The turns: how many threads of a server compute at once.

    COMPUTING ──release──> WAITING (no turn: a commit, a reply) ──acquire──> RETURNING ──> COMPUTING

A thread that comes back goes ahead of new work, first come first served, and is handed its turn directly, so
its request cannot starve. Any thread may call; the turnstile's lock guards ``_free`` and ``returning`` and is
held for a few instructions only.
"""

import threading
from collections import deque
from collections.abc import Callable

from pylon_core.turns import Turn


class Turnstile:
    """``spare`` is called, outside the lock, after a turn came free that no returning thread wanted."""

    __slots__ = ("_free", "_lock", "_spare", "returning")

    def __init__(self, turns: int, spare: Callable[[], None]) -> None:
        self._free = turns
        self._spare = spare
        self._lock = threading.Lock()
        self.returning: deque[threading.Lock] = deque()
        """Gates of the threads waiting to compute again; others may look whether there are any."""

    @property
    def free(self) -> int:
        return self._free

    def try_acquire(self) -> bool:
        """Take a turn for new work, if one is free."""
        with self._lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def acquire(self) -> None:
        """Take a turn back, after waiting for it behind the threads that returned earlier."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            gate = threading.Lock()
            gate.acquire()
            self.returning.append(gate)
        gate.acquire()

    def promise(self, gate: threading.Lock) -> None:
        """Open ``gate`` once a turn was taken for the thread behind it; it queues like any that returns."""
        with self._lock:
            if self._free == 0:
                self.returning.append(gate)
                return
            self._free -= 1
        gate.release()

    def release(self) -> None:
        with self._lock:
            if self.returning:
                self.returning.popleft().release()
                return
            self._free += 1
        self._spare()


class HeldTurn:
    """The turn of one thread, which somebody else may take away while the thread computes for too long.

    ``_token`` is locked while there is no turn. Locking it succeeds once per turn, so thread and overseer may
    both release at any time and the turnstile hears of it once.
    """

    __slots__ = ("_token", "_turnstile")

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._token = threading.Lock()
        self._token.acquire()

    @property
    def is_held(self) -> bool:
        return not self._token.locked()

    def granted(self) -> None:
        """A turn was taken at the turnstile on behalf of the thread."""
        self._token.release()

    def promise(self, gate: threading.Lock) -> None:
        self._turnstile.promise(gate)

    def acquire(self) -> None:
        self._turnstile.acquire()
        self._token.release()

    def release(self) -> None:
        if self._token.acquire(blocking=False):
            self._turnstile.release()


_: type[Turn] = HeldTurn
