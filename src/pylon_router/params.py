"""What a URL carries after the ``?``: query parameters and the paging numbers among them.

A number that does not parse means "absent" (contract 01 §1.5), so a mistyped page size never fails a page.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from pylon_http.documents import NUMBER_MAX

ROWS_MAX = 1000
"""The most rows one list or query answers with (design §4, decision 1)."""

PAGE_ROWS_DEFAULT = 20
PAGE_ROWS_MAX = 100


def parse_query(text: str) -> Mapping[str, str]:
    """The decoded query parameters; of a repeated name, the first."""
    if not text:
        return {}
    params: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        params.setdefault(name, value)
    return params


def whole_number(params: Mapping[str, str], name: str) -> int | None:
    """A non-negative decimal number, or ``None`` when the parameter is absent or anything else."""
    text = params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    number = int(text)
    return number if number <= NUMBER_MAX else None


class Window(msgspec.Struct, frozen=True):
    """``?limit=&offset=&total=`` as sent."""

    limit: int | None
    offset: int | None
    wants_total: bool = False

    @property
    def is_asked(self) -> bool:
        return self.limit is not None or self.offset is not None or self.wants_total


NO_WINDOW = Window(None, None)


def parse_window(query: str) -> Window:
    if not query:
        return NO_WINDOW
    params = parse_query(query)
    wants_total = params.get("total") in ("1", "true")
    return Window(whole_number(params, "limit"), whole_number(params, "offset"), wants_total)


class CursorPage(msgspec.Struct, frozen=True):
    """``?after=&limit=``: the rows behind one id, at most ``limit`` of them."""

    after: str | None
    limit: int


def parse_cursor_page(query: str) -> CursorPage:
    params = parse_query(query)
    limit = whole_number(params, "limit")
    wanted = PAGE_ROWS_DEFAULT if limit is None else limit
    return CursorPage(params.get("after") or None, min(max(wanted, 1), PAGE_ROWS_MAX))
