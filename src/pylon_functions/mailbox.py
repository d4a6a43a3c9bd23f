"""The frames that a call has not taken yet.

The threads that read children put them in, the call's own takes them out. While that one waits it may leave an
*attendant* in its place, who answers what takes no time on the thread that reads: then nobody is woken for it. The
lock is held while the attendant is at work, so the call's thread does not go on meanwhile; the first frame that
is put in sends him away.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import msgspec

from pylon_functions.protocol import CallFrame, Failure

FRAMES_MAX = 10_000
"""A handler that asks for more at once is ended."""
BYTES_MAX = 64 * 1024 * 1024
"""So is one that streams so much more than its caller takes."""


class Gone(msgspec.Struct, frozen=True):
    """The child that a call ran in is gone; its last frame."""

    call_id: str


class Unsent(msgspec.Struct, frozen=True):
    """There are lines for the child that nobody is sending: the call's thread is to see to that."""

    call_id: str


Mail = CallFrame | Gone | Unsent
Attendant = Callable[[CallFrame], bytes | None]
"""Gives the line that answers a frame, or ``None`` for what is not for him. Does not wait and raises nothing."""


class Mailbox(SimpleQueue[tuple[Mail, int]]):
    """The frames of one call and of those made on its behalf, in the order they came."""

    __slots__ = ("_attendant", "_bytes_put", "_bytes_taken", "_handover")

    def __init__(self) -> None:
        self._handover = threading.Lock()
        self._attendant: Attendant | None = None
        self._bytes_put = 0
        self._bytes_taken = 0

    def answer(self, frame: CallFrame) -> bytes | None:
        """Have the attendant answer a frame, if there is one and he can; otherwise it is to be offered."""
        with self._handover:
            return None if self._attendant is None else self._attendant(frame)

    def offer(self, frame: CallFrame, size: int) -> bool:
        """Put in a frame that came as a line of so many bytes; false when the mailbox is full."""
        with self._handover:
            if self.qsize() >= FRAMES_MAX or self._bytes_put - self._bytes_taken >= BYTES_MAX:
                return False
            self._attendant = None
            self._bytes_put += size
            self.put((frame, size))
        return True

    def put_last(self, frame: Gone | Unsent | Failure) -> None:
        """Put in what the call must hear of however full the mailbox is."""
        with self._handover:
            self._attendant = None
            self.put((frame, 0))

    def take(self, timeout_s: float | None = None, attendant: Attendant | None = None) -> Mail:
        """The oldest frame. Raises ``queue.Empty`` when none comes in time."""
        if attendant is not None:
            self._install(attendant)
        try:
            frame, size = self.get(timeout=timeout_s)
        except Empty:
            self._install(None)
            raise
        self._bytes_taken += size
        return frame

    def _install(self, attendant: Attendant | None) -> None:
        with self._handover:
            self._attendant = attendant if self.empty() else None
