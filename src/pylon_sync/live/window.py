"""The first rows of a query's result, kept up to date by events; and what to tell of what changed in them.

A window holds the first ``limit`` rows and some spare. While it holds the whole result there is nothing more to
know. A result that was *cut* is known up to its *horizon*, the key of the last row that was read or kept: rows
up to there are all held, and rows behind it are of no interest until so many have left that only ``limit`` are
held (``is_short``). Then nobody can tell which row comes next, or whether there is one, and the window must be
filled again.

    whole  --(a row too many)-->  cut  --(``is_short``)-->  to be filled
    to be filled  --(``fill``)-->  whole, or cut

Told are the rows of the last ``difference``. One thread uses an instance.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pylon_sync.live.ordering import SortKey

Row = Mapping[str, Any]


class Entry(NamedTuple):
    """A row as it is told, where it stands (no two rows of a query have the same key), and about how many bytes it
    takes."""

    key: SortKey
    row: Row
    weight: int


class Difference(NamedTuple):
    """From a list of what was told before take the ids ``removed`` and those of the rows ``placed``; then insert
    each of these at its index, in ascending order."""

    removed: list[str]
    placed: list[tuple[int, Row]]


class Window:
    def __init__(self, limit: int, spare: int, spare_weight_max: float = math.inf) -> None:
        """``spare`` is at least 1. Rows that weigh more together than ``spare_weight_max`` leave no more spare
        than one."""
        self._limit = limit
        self.capacity = limit + spare
        self._spare_weight_max = spare_weight_max
        self._entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}
        self._horizon: SortKey | None = None
        self._told: dict[str, Entry] = {}
        self._touched: dict[str, None] = {}
        """Ids whose rows may have changed, or were let go, since the last ``difference``."""
        self._told_complete = True
        self.weight = 0

    def fill(self, entries: Sequence[Entry], *, is_cut: bool) -> None:
        """Hold these instead: the first of the result, and whether there are more behind them."""
        self._entries = sorted(entries)
        self._by_id = {entry.row["id"]: entry for entry in entries}
        self._horizon = self._entries[-1].key if is_cut else None
        self._touched = dict.fromkeys([*self._told, *self._by_id])
        self.weight = sum(entry.weight for entry in entries)
        self._let_go_of_surplus()

    def apply(self, row_id: str, entry: Entry | None) -> Sequence[str]:
        """A row is as ``entry`` has it, or not in the result (any more). Gives the ids whose being held may have
        changed; none where nothing changed."""
        is_of_interest = entry is not None and (self._horizon is None or entry.key <= self._horizon)
        if not is_of_interest and row_id not in self._by_id:
            return ()
        self._touched[row_id] = None
        self._discard(row_id)
        if entry is None or not is_of_interest:
            return (row_id,)
        insort(self._entries, entry)
        self._by_id[row_id] = entry
        self.weight += entry.weight
        return (row_id, *self._let_go_of_surplus())

    def holds(self, row_id: str) -> bool:
        return row_id in self._by_id

    @property
    def held(self) -> Iterable[str]:
        """The ids of all rows it knows."""
        return self._by_id.keys()

    @property
    def is_short(self) -> bool:
        """Whether it must be filled before the next ``difference``."""
        return self._horizon is not None and len(self._entries) <= self._limit

    def told_rows(self) -> list[Row]:
        return [entry.row for entry in sorted(self._told.values())]

    @property
    def told_complete(self) -> bool:
        """Whether those were the whole result."""
        return self._told_complete

    def difference(self) -> Difference | None:
        """What is to be told now, and counts as told; ``None``: nothing."""
        removed: list[str] = []
        placed: list[tuple[int, Row]] = []
        for row_id in [*self._touched, *self._pushed_across_the_limit()]:
            told, entry = self._told.get(row_id), self._by_id.get(row_id)
            index = self._limit if entry is None else bisect_left(self._entries, (entry.key,))
            if entry is not None and index < self._limit:
                if told != entry:
                    placed.append((index, entry.row))
                    self._told[row_id] = entry
            elif told is not None:
                removed.append(row_id)
                del self._told[row_id]
        self._touched = {}
        is_complete = self._horizon is None and len(self._entries) <= self._limit
        if not removed and not placed and is_complete == self._told_complete:
            return None
        self._told_complete = is_complete
        placed.sort(key=_index)
        return Difference(removed, placed)

    def _pushed_across_the_limit(self) -> list[str]:
        """Rows that did not change themselves and came among the first, or left them, because others changed.

        Nobody can have overtaken a row that did not change but one that did, so they are at the limit.
        """
        pushed: list[str] = []
        for index in range(min(self._limit, len(self._entries)) - 1, -1, -1):
            row_id = self._entries[index].row["id"]
            if row_id not in self._touched:
                if row_id in self._told:
                    break
                pushed.append(row_id)
        for index in range(self._limit, len(self._entries)):
            row_id = self._entries[index].row["id"]
            if row_id not in self._touched:
                if row_id not in self._told:
                    break
                pushed.append(row_id)
        return pushed

    def _let_go_of_surplus(self) -> list[str]:
        """The ids of the rows that go because there are too many, last ones first."""
        surplus: list[str] = []
        while self._has_surplus():
            row_id = self._entries[-1].row["id"]
            surplus.append(row_id)
            self._touched[row_id] = None
            self._discard(row_id)
            self._horizon = self._entries[-1].key
        return surplus

    def _has_surplus(self) -> bool:
        count = len(self._entries)
        return count > self.capacity or (self.weight > self._spare_weight_max and count > self._limit + 1)

    def _discard(self, row_id: str) -> None:
        entry = self._by_id.pop(row_id, None)
        if entry is not None:
            del self._entries[bisect_left(self._entries, (entry.key,))]
            self.weight -= entry.weight


def _index(place: tuple[int, Row]) -> int:
    return place[0]
