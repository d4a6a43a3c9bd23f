"""What the work of one group of the ``GroupCommitter`` shares: its connection, and what it records for the change
log and for those who are told after the commit. Of the thread that leads the group.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import apsw

from pylon_http import ChangeEvent, ChangeKind, Row
from pylon_storage.sqlite import changelog
from pylon_storage.sqlite.recent_changes import Key, RecentChanges


class WriteGroup:
    """The ``ChangeRecorder`` of its transactions: an entry is written with its seq as soon as it is recorded."""

    __slots__ = ("_recent", "announced", "connection", "events", "head", "timestamp_ms")

    def __init__(self, connection: apsw.Connection, head: int, recent: RecentChanges, timestamp_ms: int) -> None:
        self.connection = connection
        self.head = head
        self.timestamp_ms = timestamp_ms
        self._recent = recent
        self.events: list[ChangeEvent] = []
        self.announced: dict[tuple[str, str], None] = {}
        """What is to be told after the commit, topic and text, each once. That of work that was undone is told
        as well: somebody looks for nothing."""

    def record(
        self,
        entity: str,
        row_id: str,
        kind: ChangeKind,
        row: Row | None,
        before: Row | None,
        delta: bytes | None = None,
    ) -> None:
        event = ChangeEvent(self.head + 1, entity, row_id, kind, row, before, self.timestamp_ms, delta)
        changelog.append(self.connection, event)
        self.head += 1
        self.events.append(event)

    def changed_since(self, seq: int) -> Iterable[Key] | None:
        """The rows that changed behind a seq that was committed; ``None`` when not all are known any more."""
        if self._recent.head + len(self.events) != self.head:
            return None  # a new log was begun
        committed = self._recent.since(seq)
        if committed is None:
            return None
        return chain(committed, ((event.entity, event.row_id) for event in self.events))

    def mark(self) -> int:
        return len(self.events)

    def undo_to(self, mark: int) -> None:
        self.head -= len(self.events) - mark
        del self.events[mark:]

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        """Every entry is in the table already."""
