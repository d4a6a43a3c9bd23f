"""The rows of an entity as JSON text, page by page, so that a table of any size fits in memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from pylon_core import jsontext
from pylon_http import Filter, Reader, Row

PAGE_ROWS_MAX = 200
PAGE_BYTES = 256 * 1024
"""What a page comes to as text, about: the size of one tells how many rows the next may have."""

_FIRST_PAGE_ROWS = 16


class RowsText(NamedTuple):
    rows: int
    text: bytes
    """The rows as JSON, commas between them."""


def row_texts(
    reader: Reader, entity: str, wanted: Filter, shown: Callable[[Row], Any] | None = None
) -> Iterator[RowsText]:
    """The wanted rows by id, ``shown`` as that makes them; no page is empty."""
    limit = _FIRST_PAGE_ROWS
    page = msgspec.structs.replace(wanted, after=None, limit=limit)
    while rows := reader.query(entity, page):
        text = jsontext.encode(rows if shown is None else [shown(row) for row in rows])[1:-1]
        yield RowsText(len(rows), text)
        if len(rows) < limit:
            return
        limit = min(PAGE_ROWS_MAX, max(1, PAGE_BYTES * len(rows) // len(text)))
        page = msgspec.structs.replace(wanted, after=rows[-1]["id"], limit=limit)


def array_pieces(texts: Iterator[RowsText]) -> Iterator[RowsText]:
    """The same as pieces of one JSON array."""
    opening = b"["
    for rows, text in texts:
        yield RowsText(rows, opening + text)
        opening = b","
    yield RowsText(0, b"[]" if opening == b"[" else b"]")
