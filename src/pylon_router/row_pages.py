"""The rows of an entity as JSON text, page by page, so that a table of any size fits in memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from pylon_core import jsontext
from pylon_http import DataError, Filter, Reader, Row
from pylon_http.rows import ANSWER_CHARS_MAX

PAGE_ROWS_MAX = 200
PAGE_BYTES = 256 * 1024
"""What a page comes to as text, about: the size of one tells how many rows the next may have."""

PLACE_SECONDS = 10.0
"""How long somebody's download of rows waits for its place among the long work of the database."""

_FIRST_PAGE_ROWS = 16


class RowsText(NamedTuple):
    rows: int
    text: bytes
    """The rows as JSON, commas between them."""


def row_texts(
    reader: Reader, entity: str, wanted: Filter, shown: Callable[[Row], Any] | None = None
) -> Iterator[RowsText]:
    """The wanted rows by id, ``shown`` as that makes them; no page is empty."""
    page = msgspec.structs.replace(wanted, after=None, limit=_FIRST_PAGE_ROWS)
    while rows := _page(reader, entity, page):
        text = jsontext.encode(rows if shown is None else [shown(row) for row in rows])[1:-1]
        yield RowsText(len(rows), text)
        limit = min(PAGE_ROWS_MAX, max(1, PAGE_BYTES * len(rows) // len(text)))
        page = msgspec.structs.replace(wanted, after=rows[-1]["id"], limit=limit)


def _page(reader: Reader, entity: str, page: Filter) -> list[Row]:
    """The rows of a page; where they are too large together, the first of them."""
    try:
        return reader.query(entity, msgspec.structs.replace(page, chars_max=ANSWER_CHARS_MAX))
    except DataError as error:
        if error.code != "PAYLOAD_TOO_LARGE":
            raise
        return reader.query(entity, msgspec.structs.replace(page, limit=1))


def array_pieces(texts: Iterator[RowsText]) -> Iterator[RowsText]:
    """The same as pieces of one JSON array."""
    opening = b"["
    for rows, text in texts:
        yield RowsText(rows, opening + text)
        opening = b","
    yield RowsText(0, b"[]" if opening == b"[" else b"]")
