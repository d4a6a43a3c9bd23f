"""What ``POST /api/aggregate/<entity>`` and ``ctx.db.aggregate`` ask for (contract 01 §9, 12 §10). Pure."""

import enum
from typing import Any

import msgspec

from pylon_http.documents import malformed
from pylon_http.filters import parse_where
from pylon_http.rows import Condition
from pylon_http.where import EVERYTHING, Where


class Function(enum.StrEnum):
    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    COUNT_DISTINCT = "count_distinct"


class Bucket(enum.StrEnum):
    """How a datetime is cut off, in UTC; ``WEEK`` is the year's week from Monday on, ``2026-W00`` to ``W53``."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Measure(msgspec.Struct, frozen=True):
    """``field`` is ``None`` for the count of rows."""

    function: Function
    field: str | None = None

    @property
    def name(self) -> str:
        """The member of the answer that holds it."""
        return self.function.value if self.field is None else f"{self.function.value}_{self.field}"


class GroupKey(msgspec.Struct, frozen=True):
    field: str
    bucket: Bucket | None = None

    @property
    def name(self) -> str:
        return self.field if self.bucket is None else f"{self.field}_{self.bucket.value}"


class Aggregation(msgspec.Struct, frozen=True):
    """``condition`` is what the caller's read policy compiled to. Groups come in the order of their keys, at most
    ``limit`` of them (``None``: all)."""

    measures: tuple[Measure, ...]
    groups: tuple[GroupKey, ...] = ()
    where: Where = EVERYTHING
    condition: Condition | None = None
    limit: int | None = None

    @property
    def shown_fields(self) -> list[str]:
        """The fields of which the answer holds values, and not only how many there are."""
        counts = (Function.COUNT, Function.COUNT_DISTINCT)
        measured = [measure.field for measure in self.measures if measure.function not in counts]
        return [field for field in (*measured, *(key.field for key in self.groups)) if field is not None]


_LISTS = {
    "sum": Function.SUM,
    "avg": Function.AVG,
    "min": Function.MIN,
    "max": Function.MAX,
    "countDistinct": Function.COUNT_DISTINCT,
}
_MEMBERS = frozenset({"count", "groupBy", "where", *_LISTS})

COLUMNS_MAX = 64


def parse_aggregation(document: object) -> Aggregation:
    """Raises DataError INVALID_QUERY for a document that asks for nothing, or for something unknown."""
    if not isinstance(document, dict):
        raise malformed("An aggregation must be an object.")
    if unknown := sorted(document.keys() - _MEMBERS):
        raise malformed(f"{unknown[0]!r} is not part of an aggregation.")
    measures = _measures(document)
    if not measures:
        raise malformed("Ask for at least one of count, sum, avg, min, max and countDistinct.")
    groups = tuple(_group(key) for key in _array("groupBy", document.get("groupBy")))
    names = [key.name for key in groups] + [measure.name for measure in measures]
    if len(set(names)) < len(names):
        raise malformed("Two columns of the answer would have the same name.")
    if len(names) > COLUMNS_MAX:
        raise malformed(f"An aggregation has at most {COLUMNS_MAX} columns.")
    where = document.get("where")
    return Aggregation(measures, groups, EVERYTHING if where is None else parse_where(where))


def _measures(document: dict[str, Any]) -> tuple[Measure, ...]:
    found: list[Measure] = []
    count = document.get("count")
    if count is not None:
        if not isinstance(count, str):
            raise malformed('count must be "*" or the name of a field.')
        found.append(Measure(Function.COUNT, None if count == "*" else count))
    for member, function in _LISTS.items():
        for field in _array(member, document.get(member)):
            if not isinstance(field, str):
                raise malformed(f"{member} must be an array of field names.")
            found.append(Measure(function, field))
    return tuple(found)


def _group(key: Any) -> GroupKey:
    if isinstance(key, str):
        return GroupKey(key)
    if not isinstance(key, dict) or not isinstance(key.get("field"), str):
        raise malformed("groupBy takes field names and objects with a field.")
    try:
        return GroupKey(key["field"], Bucket(key.get("bucket", Bucket.DAY)))
    except ValueError:
        raise malformed(f"A bucket is one of {', '.join(Bucket)}.") from None


def _array(member: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"{member} must be an array.")
    return value
