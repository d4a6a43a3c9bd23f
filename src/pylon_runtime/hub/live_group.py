"""One live query of readers who see the same: its window, who is told of it, and the messages they are sent.

    READING  --(``take_in``)-->  LIVE  --(the window is short, or entries were missed)-->  REREADING
       ^ nobody was told yet      ^----------------(``take_in``)------------------------------┘
    any of them  --(the last member leaves, or it cannot go on)-->  ENDED

``read`` asks the store, on any thread; everything else belongs to the dispatcher's.
"""

import enum
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pylon_core import jsontext
from pylon_core.manifest import EntityDef
from pylon_http import ChangeEvent, DataError, DataStore, Filter
from pylon_policy import RowPredicate
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.frames import text_frame
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.log import values_bytes
from pylon_sync.live import Entry, LiveQuery, Selection, Window
from pylon_sync.wire import Projection

_ENTRY_BYTES = 600
"""About what a row takes besides its values."""
_CHAR_BYTES = 4
"""At least what a character of a row comes to (``values_bytes``)."""


class GroupState(enum.Enum):
    READING = "reading"
    LIVE = "live"
    REREADING = "rereading"
    """Its members hold what they were told last; changes are not looked at, for they will be in what is read."""
    ENDED = "ended"


class Reading(NamedTuple):
    """The first rows as they were in the state after the change ``head``."""

    selection: Selection
    entries: list[Entry]
    is_cut: bool
    head: int


class Question(NamedTuple):
    """A query as one kind of reader asks it; ``rows`` are those they may read."""

    query: LiveQuery
    entity: EntityDef
    rows: Filter
    may_read: RowPredicate
    project: Projection


GroupKey = tuple[Hashable, bytes]
"""Whose readers see the same, and of which query."""


class LiveRows(msgspec.Struct, frozen=True, tag_field="type", tag="live-rows"):
    id: str
    query: int
    seq: int
    rows: msgspec.Raw
    complete: bool


class LiveDiff(msgspec.Struct, frozen=True, tag_field="type", tag="live-diff"):
    query: int
    seq: int
    removed: list[str]
    placed: list[tuple[int, Mapping[str, Any]]]
    complete: bool


class LiveGroup:
    def __init__(self, number: int, key: GroupKey, question: Question, limits: HubLimits) -> None:
        limit = question.query.limit
        self.number = number
        self.key = key
        self.entity = question.query.entity
        self.state = GroupState.READING
        self.members: dict[Connection, dict[str, None]] = {}
        """With the ids that each gave the query."""
        spare = min(max(limit, limits.live_query_spare_min), limits.live_query_spare_max)
        self.window = Window(limit, spare, limits.live_query_bytes_max)
        self.selection: Selection | None = None
        """Once it was read, and so is one that the store takes."""
        self.seq = 0
        """The change up to which its rows were read, and after that the last that was told."""
        self.weight = 0
        """What it is counted with among all."""
        self.is_outdated = False
        """Whether what is being read is of no use any more."""
        self.rereads = 0
        """Since it was live."""
        self._question = question
        self._chars_max = limits.live_query_bytes_max // _CHAR_BYTES
        self._told_text: msgspec.Raw | None = None

    # On any thread

    def read(self, store: DataStore) -> Reading:
        """The rows as the store has them now. Raises what the store raises, PAYLOAD_TOO_LARGE among it."""
        try:
            return self._read_first(store, self.window.capacity)
        except DataError as error:
            if error.code != "PAYLOAD_TOO_LARGE":
                raise
            return self._read_first(store, self._question.query.limit + 1)

    def _read_first(self, store: DataStore, count: int) -> Reading:
        wanted = msgspec.structs.replace(self._question.rows, limit=count, chars_max=self._chars_max)
        with store.read() as reader:
            rows = reader.query(self.entity, wanted)
            head = reader.head()
        selection = Selection(self._question.query, self._question.entity)
        return Reading(selection, [self._entry(selection, row) for row in rows], len(rows) == count, head)

    def _entry(self, selection: Selection, row: Mapping[str, Any]) -> Entry:
        shown = self._question.project(self.entity, row)
        return Entry(selection.key(row), shown, _ENTRY_BYTES + values_bytes(shown))

    # On the dispatcher's thread

    def take_in(self, reading: Reading) -> None:
        """Go on from what was read; what was told stays told until the next ``difference``."""
        self.selection = reading.selection
        self.window.fill(reading.entries, is_cut=reading.is_cut)
        self.seq = reading.head

    def apply(self, event: ChangeEvent) -> Sequence[str]:
        """Have the window learn of a change of a row of the entity; the ids whose being held may have changed."""
        assert self.selection is not None
        row = event.row
        if row is None or not self.selection.matches(row) or not self._question.may_read(row):
            return self.window.apply(event.row_id, None)
        return self.window.apply(event.row_id, self._entry(self.selection, row))

    def difference(self, seq: int) -> bytes | None:
        """The frame that tells every member what is different after the change ``seq``; ``None``: nothing is."""
        difference = self.window.difference()
        if difference is None:
            return None
        self.seq = seq
        self._told_text = None
        removed, placed = difference
        return text_frame(jsontext.encode(LiveDiff(self.number, seq, removed, placed, self.window.told_complete)))

    def rows(self, query_id: str) -> bytes:
        """The frame that tells one member everything, under its own id for the query."""
        if self._told_text is None:
            self._told_text = msgspec.Raw(jsontext.encode(self.window.told_rows()))
        return text_frame(
            jsontext.encode(LiveRows(query_id, self.number, self.seq, self._told_text, self.window.told_complete))
        )
