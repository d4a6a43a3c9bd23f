"""Aggregates in SQL, with the same results on every engine (contract 12 §10). Pure but for the one statement.

What the engines disagree about is put together here instead of there: sums of integers come back as two halves, so
that they are exact and cannot overflow on the way; averages are one division of a sum by a count; booleans are
counted as 0 and 1.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pylon_core.manifest import FieldKind
from pylon_http import Aggregation, DataError, Filter, Row
from pylon_http.aggregates import Function, GroupKey, Measure
from pylon_http.rows import ANSWER_CHARS_MAX
from pylon_storage import sql
from pylon_storage.catalog import EntityTable
from pylon_storage.codec import EntityCodec
from pylon_storage.statements import Statements
from pylon_storage.where import where_clause

_SUMMABLE = frozenset({FieldKind.INT, FieldKind.FLOAT, FieldKind.BOOL})
_INT64 = range(-(2**63), 2**63)
_HALF = 32
_LOW_BITS = 2**_HALF - 1


class _Member(NamedTuple):
    """A member of each answered row: the columns to select for it, and how its value is made of theirs."""

    name: str
    columns: tuple[str, ...]
    value: Callable[..., Any]


def aggregate(statements: Statements, table: EntityTable, wanted: Aggregation) -> list[Row]:
    """See ``Reader.aggregate``. Raises DataError INVALID_QUERY for a sum of what is no number, a bucket of what is
    no datetime, and a sum that no field could hold."""
    codec = table.codec
    keys = [_key(codec, key) for key in wanted.groups]
    members = [*keys, *(_measure(codec, measure) for measure in wanted.measures)]
    columns = ", ".join(column for member in members for column in member.columns)
    where = where_clause(table, Filter(where=wanted.where, condition=wanted.condition))
    text = f"SELECT {columns} FROM {sql.quote(codec.entity)}{where.text}"
    if keys:
        expressions = [key.columns[0] for key in keys]
        order = ", ".join(
            codec.dialect.sort_key(expression, descending=False, nullable=codec.is_nullable(key.field))
            for expression, key in zip(expressions, wanted.groups, strict=True)
        )
        window = codec.dialect.window(wanted.limit, 0)
        text = f"{text} GROUP BY {', '.join(expressions)} ORDER BY {order}{window}"
    return [_row(members, found) for found in statements.bounded(text, where.params, ANSWER_CHARS_MAX)]


def _row(members: Sequence[_Member], found: Sequence[Any]) -> Row:
    values = iter(found)
    return {member.name: member.value(*(next(values) for _ in member.columns)) for member in members}


def _key(codec: EntityCodec, key: GroupKey) -> _Member:
    column, kind = sql.quote(key.field), codec.kind(key.field)
    if key.bucket is None:
        return _Member(key.name, (column,), _as_json(codec, kind))
    if kind is not FieldKind.DATETIME:
        raise DataError("INVALID_QUERY", f"A bucket needs a datetime; {codec.entity}.{key.field} is none.")
    return _Member(key.name, (codec.dialect.bucket(column, key.bucket),), _itself)


def _measure(codec: EntityCodec, measure: Measure) -> _Member:
    if measure.field is None:
        return _Member(measure.name, ("count(*)",), int)
    column, kind = sql.quote(measure.field), codec.kind(measure.field)
    match measure.function:
        case Function.COUNT:
            return _Member(measure.name, (f"count({column})",), int)
        case Function.COUNT_DISTINCT:
            return _Member(measure.name, (f"count(DISTINCT {column})",), int)
        case Function.SUM | Function.AVG:
            return _total(codec, measure, column, kind)
        case Function.MIN | Function.MAX:
            function = measure.function.value
            if kind is FieldKind.BOOL:
                return _Member(measure.name, (f"{function}({_zero_or_one(column)})",), _truth)
            return _Member(measure.name, (f"{function}({column})",), _as_json(codec, kind))


def _total(codec: EntityCodec, measure: Measure, column: str, kind: FieldKind) -> _Member:
    """Nothing to add up is null, and is told apart from a sum that failed by the count."""
    subject = f"{measure.function.value} of {codec.entity}.{measure.field}"
    if kind not in _SUMMABLE:
        raise DataError("INVALID_QUERY", f"The {subject} needs numbers, and there are none.")
    is_average = measure.function is Function.AVG

    def total(count: int, *parts: Any) -> int | float | None:
        if not count:
            return None
        added = _whole(parts) if kind is not FieldKind.FLOAT else _as_float(parts[0])
        if is_average:
            return _representable(None if added is None else added / count, subject)
        return _representable(added, subject)

    return _Member(measure.name, (f"count({column})", *_parts(column, kind)), total)


def _parts(column: str, kind: FieldKind) -> tuple[str, ...]:
    match kind:
        case FieldKind.BOOL:
            return (f"sum({_zero_or_one(column)})",)
        case FieldKind.INT:
            return (f"sum({column} & {_LOW_BITS})", f"sum({column} >> {_HALF})")
        case _:
            return (f"sum({column})",)


def _whole(parts: Sequence[Any]) -> int:
    """The sum of integers out of the sum of their low and, if there is one, high halves."""
    return sum(int(part) << (_HALF * position) for position, part in enumerate(parts))


def _as_float(sum_of_floats: float | None) -> float | None:
    return None if sum_of_floats is None else float(sum_of_floats)


def _representable(value: float | None, subject: str) -> int | float:
    """SQLite answers null or infinity for doubles that add up to more than one holds."""
    if value is None or (value not in _INT64 if isinstance(value, int) else not math.isfinite(value)):
        raise DataError("INVALID_QUERY", f"The {subject} is too large to be represented.")
    return value


def _zero_or_one(column: str) -> str:
    return f"CASE WHEN {column} THEN 1 WHEN NOT {column} THEN 0 END"


def _truth(value: int | None) -> bool | None:
    return None if value is None else value != 0


def _as_json(codec: EntityCodec, kind: FieldKind) -> Callable[[Any], Any]:
    convert = codec.dialect.from_column.get(kind)
    if convert is None:
        return _itself
    return lambda value: None if value is None else convert(value)


def _itself(value: Any) -> Any:
    return value
