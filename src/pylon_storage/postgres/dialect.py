"""Postgres' side of what differs between the engines.

Text is in the collation "C", so that its order is that of the code points, as on SQLite and whatever the server's
language; a datetime is a timestamptz and comes back in its one spelling (``values``).
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pylon_core.manifest import FieldKind
from pylon_http.aggregates import Bucket
from pylon_storage.dialect import Dialect

TEXT = 'TEXT COLLATE "C"'

_INT64 = range(-(2**63), 2**63)

_BUCKET_FORMATS: Mapping[Bucket, str] = {
    Bucket.HOUR: "YYYY-MM-DD HH24:00:00",
    Bucket.DAY: "YYYY-MM-DD",
    Bucket.MONTH: "YYYY-MM",
    Bucket.YEAR: "YYYY",
}

_ARRAYS: Mapping[FieldKind, str] = {
    FieldKind.STRING: "text[]",
    FieldKind.RICHTEXT: "text[]",
    FieldKind.DATETIME: "timestamptz[]",
    FieldKind.ID: "text[]",
    FieldKind.INT: "bigint[]",
    FieldKind.FLOAT: "double precision[]",
    FieldKind.BOOL: "boolean[]",
}


class PostgresDialect:
    column_types: Mapping[FieldKind, str] = {
        FieldKind.STRING: TEXT,
        FieldKind.RICHTEXT: TEXT,
        FieldKind.DATETIME: "TIMESTAMPTZ",
        FieldKind.ID: TEXT,
        FieldKind.INT: "BIGINT",
        FieldKind.FLOAT: "DOUBLE PRECISION",
        FieldKind.BOOL: "BOOLEAN",
    }
    to_column: Mapping[FieldKind, Callable[[Any], Any]] = {}
    from_column: Mapping[FieldKind, Callable[[Any], Any]] = {}

    def number(self, value: float) -> Any:
        """A fraction would make the comparison one of doubles, to which a large column value is rounded."""
        if type(value) is float and value.is_integer():
            value = int(value)
        return value if type(value) is int and value in _INT64 else Decimal(value)

    def contains(self, column: str) -> str:
        return f"strpos({column}, ?) > 0"

    def member(self, column: str, kind: FieldKind, /) -> str:
        return f"{column} = ANY(?::{_ARRAYS[kind]})"

    def members(self, values: Sequence[Any], kind: FieldKind, /) -> Any:
        """What no integer equals is left out: the array could not hold it."""
        if kind is FieldKind.INT:
            return [value for value in values if type(value) is int]
        return list(values)

    def sort_key(self, column: str, *, descending: bool, nullable: bool) -> str:
        direction = " DESC" if descending else ""
        if not nullable:
            return f"{column}{direction}"
        return f"{column}{direction} NULLS {'LAST' if descending else 'FIRST'}"

    def index_key(self, column: str, *, nullable: bool) -> str:
        return f"{column} NULLS FIRST" if nullable else column

    def bucket(self, column: str, bucket: Bucket) -> str:
        utc = f"({column} AT TIME ZONE 'UTC')"
        if bucket is Bucket.WEEK:
            return f"to_char({utc}, 'YYYY') || '-W' || {_monday_week(utc)}"
        return f"to_char({utc}, '{_BUCKET_FORMATS[bucket]}')"

    def window(self, limit: int | None, offset: int) -> str:
        if limit is None:
            return f" OFFSET {offset:d}" if offset else ""
        return f" LIMIT {limit:d} OFFSET {offset:d}"


def _monday_week(utc: str) -> str:
    """C's ``%W``: weeks begin on Monday, and before the year's first Monday it is week 00."""
    number = f"(extract(doy FROM {utc})::int + 7 - extract(isodow FROM {utc})::int) / 7"
    return f"lpad(({number})::text, 2, '0')"


_: type[Dialect] = PostgresDialect
