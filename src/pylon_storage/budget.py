"""How much text is read at once: a row may have megabytes, an answer a thousand rows, a log page hundreds."""

from collections.abc import Iterable

from pylon_http import DataError
from pylon_storage.statements import Columns

PAGE_CHARS_MAX = 8 * 1024 * 1024
"""A page of the change log with this much in its rows ends: many pages are read at once."""


def within(rows: Iterable[Columns], chars_max: int) -> list[Columns]:
    """The rows, read one by one. Raises DataError PAYLOAD_TOO_LARGE as soon as their text is longer than that."""
    kept: list[Columns] = []
    left = chars_max
    for columns in rows:
        for value in columns:
            if type(value) is str:
                left -= len(value)
        if left < 0:
            raise DataError(
                "PAYLOAD_TOO_LARGE",
                "The rows are too large for one answer.",
                hint="Ask for fewer at a time, with a limit.",
            )
        kept.append(columns)
    return kept
