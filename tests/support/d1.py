"""A D1 database on this machine: SQLite behind the calls, the values and the limits of D1.

Every number goes in and comes out as a double, as in JavaScript; a batch is atomic; nothing else opens a
transaction. ``failing`` stands for a network: what it raises comes before the call is done or, ``lost``, after.
"""

import math
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from pylon_workers.executor import D1Error, Statement

_LIMITS = {
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    apsw.SQLITE_LIMIT_LENGTH: 2_000_000,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
}
_REFUSED = re.compile(
    r"\s*(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|ATTACH|DETACH|VACUUM"
    r"|PRAGMA(?!\s+(table_info|table_xinfo|table_list|index_list|index_info|foreign_key_list)\b))\b",
    re.IGNORECASE,
)
JS_DIGITS_MAX = 1e21
"""From here on JavaScript writes a number with an exponent."""

Fault = Callable[[str, Sequence[Statement]], bool]
"""Is asked before each call, by its name and statements, whether its answer gets lost; may raise ``D1Error``."""


class LocalD1:
    """An executor. The lock is D1's own single thread."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._connection = apsw.Connection(str(path))
        for limit, value in _LIMITS.items():
            self._connection.limit(limit, value)
        self._lock = threading.Lock()
        self.calls: list[tuple[str, Sequence[Statement]]] = []
        self.fault: Fault = lambda _call, _statements: False

    def query(self, text: str, params: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return self._call("query", [Statement(text, params)])

    def execute(self, text: str, params: Sequence[Any]) -> int:
        with_changes = self._call("execute", [Statement(text, params)])
        return int(with_changes[0][0])

    def batch(self, statements: Sequence[Statement]) -> None:
        assert statements, "D1 refuses an empty batch"
        self._call("batch", statements)

    def close(self) -> None:
        self._connection.close()

    def _call(self, name: str, statements: Sequence[Statement]) -> list[list[Any]]:
        with self._lock:
            self.calls.append((name, statements))
            lost = self.fault(name, statements)
            try:
                with self._connection:
                    rows = [self._run(statement) for statement in statements][-1]
            except apsw.Error as error:
                raise D1Error(_message(error)) from error
            if lost:
                raise D1Error("D1_ERROR: Network connection lost.")
            return [[self._connection.changes()]] if name == "execute" else rows

    def _run(self, statement: Statement) -> list[list[Any]]:
        if _REFUSED.match(statement.text):
            raise apsw.AuthError("not authorized")
        values = [_from_javascript(value) for value in statement.params]
        return [[_to_javascript(v) for v in row] for row in self._connection.execute(statement.text, values)]


def _from_javascript(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        number = float(value)
        assert math.isfinite(number), "JSON has no spelling for it"
        return number
    assert value is None or isinstance(value, str | bytes), value
    return value


def _to_javascript(value: Any) -> Any:
    if isinstance(value, bytes):
        return list(value)
    if not isinstance(value, int | float):
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < JS_DIGITS_MAX else number


def _message(error: apsw.Error) -> str:
    if isinstance(error, apsw.ConstraintError):
        return f"D1_ERROR: {error}: SQLITE_CONSTRAINT"
    return f"D1_ERROR: {error}: SQLITE_{type(error).__name__.removesuffix('Error').upper()}"
