"""The one boundary where D1's errors become ours; messages never carry SQL text."""

import re

from pylon_http import DataError
from pylon_workers.executor import D1Error

_CONSTRAINT = re.compile(
    r"(?P<kind>UNIQUE|NOT NULL) constraint failed: (?P<columns>.*?)(?:: SQLITE_CONSTRAINT.*)?$"
)


def write_refused(entity: str, code: str, error: D1Error) -> DataError | None:
    """Why D1 did not take a row, under the code of the write; ``None`` when it did not say that it refused."""
    found = _CONSTRAINT.search(str(error))
    if found is not None:
        columns = found["columns"].replace(f"{entity}.", "")
        if found["kind"] == "UNIQUE":
            return DataError(code, f"{entity} already has a row with this {columns}.", status=409)
        return DataError(code, f"{entity}.{columns} is required.")
    if "constraint failed" in str(error):
        return DataError(code, f"The row does not satisfy a constraint of {entity}.")
    if "too big" in str(error):
        return DataError(code, f"The row is too large for {entity}.")
    return None


def unavailable() -> DataError:
    return DataError("NOT_AVAILABLE", "The database did not answer as it should. Nothing was changed.")
