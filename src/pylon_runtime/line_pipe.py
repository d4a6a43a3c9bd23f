"""The writing end of a child's stdin: many threads write whole lines, none waits for another.

A thread that finds nobody writing becomes the writer and sends what all have queued, in as few system calls as
that takes; the others leave their line and go on. Only the writer ever waits (for a child that does not read),
and only until its own deadline.
"""

import os
import select
import threading
from collections import deque

from pylon_core.clock import Clock
from pylon_core.turns import blocking
from pylon_functions.endings import CallTimedOut


class LinePipe:
    """Owns the descriptor. ``send`` and ``close`` may be called by any thread; ``close`` twice."""

    def __init__(self, fd: int, clock: Clock) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._clock = clock
        self._lines: deque[bytes] = deque()
        self._writing = threading.Lock()  # held by the writer; nobody ever waits for it but ``close``
        self._closed = False
        self.is_clear = True
        """Whether the child has taken all that anybody tried to write. Set by whoever writes."""

    def send(self, line: bytes, deadline: float) -> None:
        """Raises ``CallTimedOut`` when the child has not taken it at the deadline; the pipe is then useless."""
        self._lines.append(line)
        # Looked at again after letting go: a line queued in between would find a writer that no longer looks.
        while self._lines and self._writing.acquire(blocking=False):
            try:
                self._write_queued(deadline)
            finally:
                self._writing.release()

    def offer(self, lines: bytes) -> bool:
        """Write without waiting; false when some of what is queued is left for the next ``send``."""
        self._lines.append(lines)
        while self._lines and self._writing.acquire(blocking=False):
            try:
                if not self._write_what_goes():
                    return False
            finally:
                self._writing.release()
        return True

    def close(self) -> None:
        with self._writing:
            if not self._closed:
                self._closed = True
                os.close(self._fd)

    def _write_what_goes(self) -> bool:
        while self._lines:
            batch = b"".join(self._lines.popleft() for _ in range(len(self._lines)))
            if self._closed:
                continue
            try:
                written = os.write(self._fd, batch)
            except BlockingIOError:
                written = 0
            except BrokenPipeError:
                continue
            if written < len(batch):
                self._lines.appendleft(batch[written:])
                self.is_clear = False
                return False
        return True

    def _write_queued(self, deadline: float) -> None:
        while self._lines:
            batch = b"".join(self._lines.popleft() for _ in range(len(self._lines)))
            if not self._closed:
                self._write(batch, deadline)
                self.is_clear = True

    def _write(self, batch: bytes, deadline: float) -> None:
        unsent = memoryview(batch)
        try:
            while unsent:
                unsent = unsent[self._write_now(unsent, deadline) :]
        except BrokenPipeError:
            return  # the child is gone, as its reader is about to find out
        except CallTimedOut:
            self._lines.appendleft(bytes(unsent))  # others' lines among it, and the rest of one that is half sent
            raise

    def _write_now(self, unsent: memoryview, deadline: float) -> int:
        try:
            return os.write(self._fd, unsent)
        except BlockingIOError:
            self.is_clear = False
            with blocking():
                self._wait_for_room(deadline)
            return 0

    def _wait_for_room(self, deadline: float) -> None:
        left_s = deadline - self._clock.monotonic()
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise CallTimedOut
