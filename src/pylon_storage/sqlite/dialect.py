"""SQLite's side of what differs between the engines.

A datetime is text of fixed width, so that its order is the order of the instants; a boolean is 0 or 1.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pylon_core import jsontext
from pylon_core.datetimes import fixed_width, shortest
from pylon_core.manifest import FieldKind
from pylon_http.aggregates import Bucket
from pylon_storage.dialect import Dialect

_INT64 = range(-(2**63), 2**63)

_BUCKET_FORMATS: Mapping[Bucket, str] = {
    Bucket.HOUR: "%Y-%m-%d %H:00:00",
    Bucket.DAY: "%Y-%m-%d",
    Bucket.WEEK: "%Y-W%W",
    Bucket.MONTH: "%Y-%m",
    Bucket.YEAR: "%Y",
}


def _truth(value: int) -> bool:
    return value != 0


class SqliteDialect:
    column_types: Mapping[FieldKind, str] = {
        FieldKind.STRING: "TEXT",
        FieldKind.RICHTEXT: "TEXT",
        FieldKind.DATETIME: "TEXT",
        FieldKind.ID: "TEXT",
        FieldKind.INT: "INTEGER",
        FieldKind.FLOAT: "REAL",
        FieldKind.BOOL: "INTEGER",
    }
    to_column: Mapping[FieldKind, Callable[[Any], Any]] = {FieldKind.DATETIME: fixed_width}
    from_column: Mapping[FieldKind, Callable[[Any], Any]] = {
        FieldKind.DATETIME: shortest,
        FieldKind.BOOL: _truth,
    }

    def number(self, value: float) -> Any:
        """Beyond every column's values infinity compares like the number itself."""
        if type(value) is float or value in _INT64:
            return value
        return math.inf if value > 0 else -math.inf

    def contains(self, column: str) -> str:
        return f"instr({column}, ?) > 0"

    def member(self, column: str, _kind: FieldKind, /) -> str:
        return f"{column} IN (SELECT value FROM json_each(?))"

    def members(self, values: Sequence[Any], _kind: FieldKind, /) -> Any:
        return jsontext.encode([value for value in values if value not in (math.inf, -math.inf)]).decode()

    def sort_key(self, column: str, *, descending: bool, nullable: bool) -> str:  # noqa: ARG002 - nulls are least anyway
        return f"{column} DESC" if descending else column

    def index_key(self, column: str, *, nullable: bool) -> str:  # noqa: ARG002 - nulls are least anyway
        return column

    def bucket(self, column: str, bucket: Bucket) -> str:
        return f"strftime('{_BUCKET_FORMATS[bucket]}', {column})"

    def window(self, limit: int | None, offset: int) -> str:
        if limit is None:
            return f" LIMIT -1 OFFSET {offset:d}" if offset else ""
        return f" LIMIT {limit:d} OFFSET {offset:d}"


_: type[Dialect] = SqliteDialect
