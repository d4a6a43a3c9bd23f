"""Telling a process's subscribers of every committed change, each once, in seq order, whoever committed it.

A transaction of this process hands over its events as they are; where something is missing before them, what
other processes or other threads committed, it is read from the log. Of all threads that have something to tell
one leads and tells for all, and the others wait until theirs is told, so whoever has an answer knows that its
event is on its way. When the log cannot be read the events are not lost: the next telling starts where the last
one ended.

Any thread may call. The lock guards the two seqs, the handed-over events and the lead; it is held neither while
the log is read nor while subscribers listen.
"""

import threading
from collections.abc import Callable, Sequence

import structlog

from pylon_core.turns import blocking
from pylon_http import ChangeEvent, DataError

PAGE_EVENTS = 1_000

Page = Sequence[ChangeEvent]

log = structlog.get_logger("pylon.storage")


class Publication:
    """``read`` gives some events after a seq, or raises DataError; ``deliver`` neither blocks nor raises."""

    def __init__(
        self, read: Callable[[int, int], Page], deliver: Callable[[Sequence[ChangeEvent]], None], head: int
    ) -> None:
        self._read = read
        self._deliver = deliver
        self._lock = threading.Lock()
        self._turned = threading.Condition(self._lock)
        self._told = head
        self._wanted = head
        self._own: dict[int, Sequence[ChangeEvent]] = {}
        """By first seq; never more than there are threads that commit."""
        self._led = False
        self._failures = 0

    @property
    def head(self) -> int:
        """The newest seq this process knows to be committed."""
        return self._wanted

    def hand_over(self, events: Sequence[ChangeEvent]) -> None:
        """The events of one commit of this process; returns when they are told."""
        with self._lock:
            if events[0].seq > self._told:
                self._own[events[0].seq] = events
        self.reach(events[-1].seq)

    def reach(self, seq: int) -> None:
        """Tell everything up to a committed seq."""
        if seq <= self._told or not self._take_lead(seq):
            return
        try:
            self._tell()
        except DataError as error:
            # What was handed over is in the log as well, from which it is told when that can be read again.
            log.warning("publication_delayed", error=error.code)
            with self._lock:
                self._failures += 1
                self._own.clear()
        finally:
            with self._lock:
                self._led = False
                self._turned.notify_all()

    def _take_lead(self, seq: int) -> bool:
        """Whether there is something to lead for; otherwise another thread has told it, or failed to."""
        with blocking(), self._lock:
            self._wanted = max(self._wanted, seq)
            failures = self._failures
            while self._led and self._told < seq and failures == self._failures:
                self._turned.wait()
            if self._led or self._told >= seq:
                return False
            self._led = True
            return True

    def _tell(self) -> None:
        while (events := self._next()) is not None:
            if events:
                self._deliver(events)
            with self._lock:
                # A seq that is wanted and cannot be read was compacted away, or is not for us.
                self._told = events[-1].seq if events else self._wanted
                for first in [first for first in self._own if first <= self._told]:
                    del self._own[first]

    def _next(self) -> Sequence[ChangeEvent] | None:
        with self._lock:
            if self._told >= self._wanted:
                return None
            own = self._own.get(self._told + 1)
        return own if own is not None else self._read(self._told, PAGE_EVENTS)
