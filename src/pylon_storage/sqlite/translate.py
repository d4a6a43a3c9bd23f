"""The one boundary where SQLite's exceptions become ours; messages never carry SQL text."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from pylon_http import DataError

READ_ERRORS = (apsw.Error, OverflowError, TypeError)
"""What ``read_failed`` translates."""


def read_failed(error: Exception) -> DataError:
    """A value that SQLite cannot bind is the caller's fault, the rest is ours."""
    if isinstance(error, OverflowError | TypeError | apsw.MismatchError | apsw.TooBigError):
        return DataError("INVALID_QUERY", "A value in the query cannot be compared.")
    return DataError("QUERY_FAILED", "The database could not be read.", status=500)


@contextmanager
def opening() -> Iterator[None]:
    """Errors of one more connection: the process is out of descriptors or memory, or the file is gone."""
    try:
        yield
    except (apsw.Error, MemoryError) as error:
        raise DataError("NOT_AVAILABLE", "The database cannot be opened for reading.") from error


def constraint_failed(entity: str, code: str, error: apsw.ConstraintError) -> DataError:
    """A refused write of one row under the code INSERT_FAILED, UPDATE_FAILED or DELETE_FAILED."""
    columns = _columns(str(error), entity)
    kind: int = error.extendedresult  # type: ignore[attr-defined]  # missing from apsw's stub
    if kind in (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY):
        return DataError(code, f"{entity} already has a row with this {columns}.", status=409)
    if kind == apsw.SQLITE_CONSTRAINT_NOTNULL:
        return DataError(code, f"{entity}.{columns} is required.")
    return DataError(code, f"The row does not satisfy a constraint of {entity}.")


def _columns(message: str, entity: str) -> str:
    """The column names out of SQLite's text, ``UNIQUE constraint failed: E.a, E.b``."""
    _, _, names = message.partition("failed: ")
    return names.replace(f"{entity}.", "") or "value"
