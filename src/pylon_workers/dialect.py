"""SQLite's dialect where numbers come back without their kind: 3 may be the float 3.0."""

from collections.abc import Callable, Mapping
from typing import Any

from pylon_core.manifest import FieldKind
from pylon_storage.dialect import Dialect
from pylon_storage.sqlite.dialect import SqliteDialect


class D1Dialect(SqliteDialect):
    from_column: Mapping[FieldKind, Callable[[Any], Any]] = {
        **SqliteDialect.from_column,
        FieldKind.FLOAT: float,
    }


_: type[Dialect] = D1Dialect
