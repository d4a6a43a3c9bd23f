"""The hub's log: the latest committed events in memory, by position.

Positions are consecutive where seqs may jump, so a cursor is one integer and falling out of the log is one
comparison. The committing thread appends and evicts under the lock; the dispatcher, the only reader, looks
entries up without it and takes a missing one as evicted. At the start of a server, what is appended waits until
the log has been primed with what came before it. The two messages of an entry are encoded by the
dispatcher, each at most once.
"""

import math
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pylon_http import ChangeEvent
from pylon_runtime.hub.wire import Encoded

_ENTRY_BYTES = 1_000
"""About what an entry takes besides its values."""


class LogEntry:
    """An event, when it arrived, how many bytes the log had taken in by then, and its messages once encoded."""

    __slots__ = ("arrived", "as_delete", "as_row", "bytes_so_far", "event")

    def __init__(self, event: ChangeEvent, arrived: float, bytes_so_far: int) -> None:
        self.event = event
        self.arrived = arrived
        self.bytes_so_far = bytes_so_far
        self.as_row: Encoded | None = None
        self.as_delete: Encoded | None = None


class EventLog:
    def __init__(self, events_max: int, bytes_max: int) -> None:
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._entries: dict[int, LogEntry] = {}
        self._last_seq = 0
        self._unprimed: list[ChangeEvent] | None = None
        self._bytes_evicted = 0
        self._bytes_so_far = 0
        self.first = 0
        """Position of the oldest entry kept."""
        self.end = 0
        """Position that the next entry will get."""

    def append(self, events: Sequence[ChangeEvent], now: float) -> None:
        """Events already here, by seq, are passed over, so a caller may overlap two deliveries."""
        with self._lock:
            if self._unprimed is None:
                self._append(events, now)
            else:
                self._unprimed.extend(events)

    def await_priming(self) -> None:
        with self._lock:
            self._unprimed = []

    def prime(self, events: Iterable[ChangeEvent], now: float) -> None:
        """``events`` come before what was appended since ``await_priming``, or overlap with it."""
        with self._lock:
            waiting, self._unprimed = self._unprimed or [], None
            self._append(events, now)
            self._append(waiting, now)

    def _append(self, events: Iterable[ChangeEvent], now: float) -> None:
        for event in events:
            if event.seq <= self._last_seq:
                continue
            self._last_seq = event.seq
            self._bytes_so_far += _weight(event)
            self._entries[self.end] = LogEntry(event, now, self._bytes_so_far)
            self.end += 1
        while self._is_over_full():
            self._evict_oldest()

    def entry(self, position: int) -> LogEntry | None:
        return self._entries.get(position)

    def evict_older(self, than: float) -> None:
        with self._lock:
            while self.first < self.end and self._entries[self.first].arrived < than:
                self._evict_oldest()

    def replay_start(self, since: float) -> int:
        """Where the entries that arrived from ``since`` on begin.

        Keeps off the oldest quarter of a full log: a connection that began there would fall out of the log
        before it was sent anything.
        """
        positions = range(self.first, self.end)
        return positions.start + bisect_left(positions, since, key=self._arrival)

    def _arrival(self, position: int) -> float:
        """When an entry arrived; long ago for one that is about to be evicted or was just now."""
        entry = self.entry(position)
        if (
            entry is None
            or self.end - position > self._events_max * 3 // 4
            or self._bytes_so_far - entry.bytes_so_far > self._bytes_max * 3 // 4
        ):
            return -math.inf
        return entry.arrived

    def _is_over_full(self) -> bool:
        return len(self._entries) > self._events_max or self._bytes_so_far - self._bytes_evicted > self._bytes_max

    def _evict_oldest(self) -> None:
        self._bytes_evicted = self._entries.pop(self.first).bytes_so_far
        self.first += 1


def _weight(event: ChangeEvent) -> int:
    weight = _ENTRY_BYTES
    if event.row is not None:
        weight += values_bytes(event.row)
    if event.before is not None:
        weight += values_bytes(event.before)
    if event.delta is not None:
        weight += len(event.delta)
    return weight


def values_bytes(row: Mapping[str, Any]) -> int:
    """Three times the text: in the row, in its JSON and in a frame; close enough for a bound."""
    total = 0
    for value in row.values():
        if isinstance(value, str):
            total += 3 * len(value) + 64
        elif isinstance(value, list | dict):
            total += 3 * len(str(value)) + 64
        else:
            total += 32
    return total
