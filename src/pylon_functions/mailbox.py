"""The frames that a call has not taken yet.

The threads that read children put them in, the call's own takes them out; no lock is needed, since each count has
one writer. Only a call that has nested calls in several children has several readers: then a frame may go
uncounted, and the bound on bytes is that much higher.
"""

from queue import SimpleQueue

import msgspec

from pylon_functions.protocol import CallFrame

FRAMES_MAX = 10_000
"""A handler that asks for more at once is ended."""
BYTES_MAX = 64 * 1024 * 1024
"""So is one that streams so much more than its caller takes."""


class Gone(msgspec.Struct, frozen=True):
    """The child that a call ran in is gone; its last frame."""

    call_id: str


Mail = CallFrame | Gone


class Mailbox(SimpleQueue[tuple[Mail, int]]):
    """The frames of one call and of those made on its behalf, in the order they came."""

    __slots__ = ("_bytes_put", "_bytes_taken")

    def __init__(self) -> None:
        self._bytes_put = 0
        self._bytes_taken = 0

    def offer(self, frame: CallFrame, size: int) -> bool:
        """Put in a frame that came as a line of so many bytes; false when the mailbox is full."""
        if self.qsize() >= FRAMES_MAX or self._bytes_put - self._bytes_taken >= BYTES_MAX:
            return False
        self._bytes_put += size
        self.put((frame, size))
        return True

    def put_last(self, frame: Mail) -> None:
        """Put in what ends a call, however full the mailbox is."""
        self.put((frame, 0))

    def take(self, timeout_s: float | None = None) -> Mail:
        """The oldest frame. Raises ``queue.Empty`` when none comes in time."""
        frame, size = self.get(timeout=timeout_s)
        self._bytes_taken += size
        return frame
