"""What the change log means to each viewer, worked out anew in a few lines: the oracle of the checker.

The read rules are written here a second time as plain Python, so nothing is shared with the server's policies.
Pure.
"""

from collections.abc import Iterator, Sequence

from tests.history.history import Event, Key, LogEntry, Row, tag_of

EVERYBODY = "everybody"
"""The owner of documents that are for all."""


def may_read(user: str, key: Key, row: Row) -> bool:
    entity, _ = key
    return entity != "Doc" or row["owner"] in (user, EVERYBODY)


def readable(user: str, rows: dict[Key, Row]) -> dict[Key, Row]:
    return {key: row for key, row in rows.items() if may_read(user, key, row)}


def rows_after(log: Sequence[LogEntry]) -> dict[Key, Row]:
    rows: dict[Key, Row] = {}
    for entry in log:
        if entry.row is None:
            rows.pop(entry.key, None)
        else:
            rows[entry.key] = entry.row
    return rows


def events_for(user: str, log: Sequence[LogEntry]) -> list[Event]:
    """The log as the user may see it: who loses sight of a row hears that it is gone."""
    rows: dict[Key, Row] = {}
    events: list[Event] = []
    for entry in log:
        before, row = rows.get(entry.key), entry.row
        if row is not None and may_read(user, entry.key, row):
            events.append(Event(entry.seq, entry.entity, entry.row_id, entry.kind, row))
        elif before is not None and may_read(user, entry.key, before):
            events.append(Event(entry.seq, entry.entity, entry.row_id, "delete"))
        if row is None:
            rows.pop(entry.key, None)
        else:
            rows[entry.key] = row
    return events


class Versions:
    """Which version of each row a viewer has at a cursor. ``at`` takes cursors in ascending order."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._next = 0
        self._tags: dict[Key, str] = {}

    def at(self, cursor: int) -> dict[Key, str]:
        for event in self._until(cursor):
            if event.data is None:
                self._tags.pop(event.key, None)
            else:
                self._tags[event.key] = tag_of(event.data)
        return self._tags

    def _until(self, cursor: int) -> Iterator[Event]:
        while self._next < len(self._events) and self._events[self._next].seq <= cursor:
            yield self._events[self._next]
            self._next += 1
