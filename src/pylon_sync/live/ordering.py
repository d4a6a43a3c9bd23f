"""An order of rows as a Python sort key: the order that a store's ORDER BY gives. Pure.

Null is least, text goes by code point, datetimes as instants, false before true, and ``id`` ascending breaks ties.
So no two rows have the same key.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import total_ordering
from typing import Any

from pylon_core.manifest import FieldKind
from pylon_sync.live.operands import Kinds, ordered

SortKey = tuple[Any, ...]
"""Of rows of one query; ascending."""

_NUMBERS = frozenset({FieldKind.INT, FieldKind.FLOAT, FieldKind.BOOL})
_LEAST = (0,)
_GREATEST = (2,)


def compile_order(order: Sequence[tuple[str, bool]], kinds: Kinds) -> Callable[[Mapping[str, Any]], SortKey]:
    """``order`` as in ``Filter``, of fields that the entity has."""
    parts = [_part(field, kinds[field], descending=descending) for field, descending in order]
    if not any(field == "id" for field, _ in order):
        parts.append(lambda row: row["id"])
    return lambda row: tuple([part(row) for part in parts])


@total_ordering
class _Descending:
    """A value that sorts the other way round."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other._value < self._value)


def _part(field: str, kind: FieldKind, *, descending: bool) -> Callable[[Mapping[str, Any]], Any]:
    """A value is between ``_LEAST`` and ``_GREATEST``, one of which stands for null."""
    comparable = ordered(kind)
    if not descending:
        return lambda row: _LEAST if (value := row.get(field)) is None else (1, comparable(value))
    if kind in _NUMBERS:
        return lambda row: _GREATEST if (value := row.get(field)) is None else (1, -value)
    return lambda row: _GREATEST if (value := row.get(field)) is None else (1, _Descending(comparable(value)))
