"""Reading a graph: one statement for each of its selections, however many rows (contract 12 §9).

The answer is a tree, and a row that several rows lead to stands in it several times. What is bounded is the tree,
not what is read for it, so that a few rows that include each other, or a large one that many lead to, cannot grow
without end. One thread uses an instance, for one graph.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pylon_http.graph import Include, Selection
from pylon_http.rows import Filter, Row
from pylon_http.where import AllOf, OneOf

Projection = Callable[[str, Row], Mapping[str, Any]]
"""A row of an entity as it may be shown."""


class RowQueries(Protocol):
    """What a graph is read through: the part of ``Reader`` that it needs."""

    def query(self, entity: str, rows: Filter) -> list[Row]: ...


CHARS_MAX = 32 * 1024 * 1024
"""Characters of text in the tree: about as much as a thousand rows may reasonably have."""


class _Placed:
    """A row in the tree: as it is stored, as it is shown, and how often."""

    __slots__ = ("row", "shown", "times")

    def __init__(self, row: Row, shown: dict[str, Any], times: int) -> None:
        self.row = row
        self.shown = shown
        self.times = times


class GraphReading:
    """At most ``rows_max`` rows, of them ``entity_rows_max`` of one entity at the top. ``truncated`` says
    afterwards whether that cut some off; a limit of the graph's own does not count."""

    def __init__(
        self, reader: RowQueries, project: Projection, *, rows_max: int, entity_rows_max: int | None = None
    ) -> None:
        self._reader = reader
        self._project = project
        self._left = rows_max
        self._chars_left = CHARS_MAX
        self._entity_rows_max = rows_max if entity_rows_max is None else entity_rows_max
        self.truncated = False

    def read(self, graph: Iterable[Selection]) -> dict[str, list[dict[str, Any]]]:
        """By entity, its rows; in each, under the name of an included relation, the array of rows it leads to. A
        relation to one row has that row there, or is absent where there is none."""
        # Level by level, so that when there is no room for all, what is nearer to the top has it.
        level: list[tuple[Sequence[Include], list[_Placed]]] = []
        answer: dict[str, list[dict[str, Any]]] = {}
        for selection in graph:
            placed = self._top(selection)
            answer[selection.entity] = [row.shown for row in placed]
            level.append((selection.includes, placed))
        while level:
            level = [
                (include.targets.includes, self._include(include, parents))
                for includes, parents in level
                for include in includes
            ]
        return answer

    def _top(self, selection: Selection) -> list[_Placed]:
        found = self._query(selection.entity, selection.rows, min(self._left, self._entity_rows_max))
        return [self._place(selection, row, 1) for row in self._fitting(selection, found, 1)]

    def _include(self, include: Include, parents: Sequence[_Placed]) -> list[_Placed]:
        """Place what a relation of the parents leads to; the rows placed, each once."""
        relation, targets = include.relation, include.targets
        own, theirs = ("id", relation.field) if relation.many else (relation.field, "id")
        found = self._related(include, theirs, [parent.row[own] for parent in parents])
        placed: dict[str, _Placed] = {}
        for parent in parents:
            shown: list[dict[str, Any]] = []
            for row in self._fitting(targets, found.get(parent.row[own], ()), parent.times):
                child = placed.get(row["id"])
                if child is None:
                    child = placed[row["id"]] = self._place(targets, row, 0)
                child.times += parent.times
                shown.append(child.shown)
            if relation.many:
                parent.shown[relation.name] = shown
            elif shown:
                parent.shown[relation.name] = shown[0]
        return list(placed.values())

    def _related(self, include: Include, field: str, keys: Sequence[Any]) -> dict[str, list[Row]]:
        """The rows whose ``field`` is one of the keys, by key. Asked even without any key, so that a filter that
        means nothing is refused whatever rows there are."""
        rows = include.targets.rows
        wanted = tuple(dict.fromkeys(key for key in keys if key is not None)) if include.joins else ()
        rows = msgspec.structs.replace(rows, where=AllOf((OneOf(field, wanted), rows.where)))
        found: dict[str, list[Row]] = {}
        for row in self._query(include.targets.entity, rows, self._left):
            found.setdefault(row[field], []).append(row)
        return found

    def _fitting(self, selection: Selection, rows: Sequence[Row], times: int) -> Sequence[Row]:
        """As many of the rows as there is room for, each so many times in the tree."""
        fitting: list[Row] = []
        for row in rows:
            chars = times * _chars(self._project(selection.entity, row))
            if self._left < times or self._chars_left < chars:
                break
            self._left -= times
            self._chars_left -= chars
            fitting.append(row)
        self.truncated |= len(fitting) < len(rows)
        return fitting

    def _query(self, entity: str, wanted: Filter, rows_max: int) -> list[Row]:
        if wanted.limit is not None and wanted.limit <= rows_max:
            return self._reader.query(entity, wanted)
        rows = self._reader.query(entity, msgspec.structs.replace(wanted, limit=rows_max + 1))
        self.truncated |= len(rows) > rows_max
        return rows[:rows_max]

    def _place(self, selection: Selection, row: Row, times: int) -> _Placed:
        return _Placed(row, dict(self._project(selection.entity, row)), times)


def _chars(shown: Mapping[str, Any]) -> int:
    return sum(len(value) for value in shown.values() if isinstance(value, str))
