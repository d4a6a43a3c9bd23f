"""Counts of rows, remembered for as long as nothing is written.

Counting is the one part of a page whose time grows with the table, and whoever pages asks for the same count again
and again. Every change of a row is in the change log, so two states with the same newest seq have the same rows: a
count is kept with the seq of the state it was counted in, and is good for that state alone.
"""

import threading
from collections import OrderedDict

from pylon_http import Filter
from pylon_storage.catalog import Catalog
from pylon_storage.rows import SqlReader
from pylon_storage.statements import Statements

CAPACITY = 1_024
"""Counts kept; the least recently used leaves first."""
QUESTION_CHARS_MAX = 4_000
"""Longer statements, those with long lists in them, are counted each time."""

_STATE = "SELECT coalesce(max(seq), 0) FROM _pylon_changes"


class CountCache:
    """Any thread may call it; the lock guards the entries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def get(self, question: str, state: int) -> int | None:
        with self._lock:
            entry = self._entries.get(question)
            if entry is None or entry[0] != state:
                return None
            self._entries.move_to_end(question)
            return entry[1]

    def put(self, question: str, state: int, count: int) -> None:
        if len(question) > QUESTION_CHARS_MAX:
            return
        with self._lock:
            self._entries[question] = (state, count)
            self._entries.move_to_end(question)
            if len(self._entries) > CAPACITY:
                self._entries.popitem(last=False)


class SnapshotReader(SqlReader):
    """Reads one committed state, and counts it once."""

    def __init__(self, statements: Statements, catalog: Catalog, counts: CountCache) -> None:
        super().__init__(statements, catalog)
        self._counts = counts

    def count(self, entity: str, rows: Filter) -> int:
        question = repr(self._counting(entity, rows))
        found = self._statements.one(_STATE)
        assert found is not None
        state = int(found[0])
        known = self._counts.get(question, state)
        if known is None:
            known = super().count(entity, rows)
            self._counts.put(question, state, known)
        return known
