"""Query strings: decoded, first name wins, and a number that is none counts as absent."""

import pytest

from pylon_http.documents import NUMBER_MAX
from pylon_router.params import (
    CursorPage,
    Window,
    parse_cursor_page,
    parse_query,
    parse_window,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "1"}),
        ("a=", {"a": ""}),
        ("name=a%20b+c%26d", {"name": "a b c&d"}),
        ("xlimit=5", {"xlimit": "5"}),
    ],
)
def test_query_strings_are_parsed_and_decoded(text: str, params: dict[str, str]) -> None:
    assert parse_query(text) == params


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("007", 7),
        ("0", 0),
        (str(NUMBER_MAX), NUMBER_MAX),
        (str(NUMBER_MAX + 1), None),
        ("9" * 5000, None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1_0", None),
        (" 1", None),
        ("٣", None),
        ("abc", None),
        ("", None),
    ],
)
def test_only_plain_decimal_numbers_count(text: str, number: int | None) -> None:
    assert whole_number({"n": text}, "n") == number


def test_an_absent_number_is_none() -> None:
    assert whole_number({}, "n") is None


@pytest.mark.parametrize(
    ("query", "window", "is_asked"),
    [
        ("", Window(None, None), False),
        ("limit=2&offset=4", Window(2, 4), True),
        ("limit=0", Window(0, None), True),
        ("offset=1", Window(None, 1), True),
        ("limit=many", Window(None, None), False),
        ("total=1", Window(None, None, wants_total=True), True),
        ("limit=2&total=true", Window(2, None, wants_total=True), True),
        ("total=0", Window(None, None), False),
    ],
)
def test_windows(query: str, window: Window, is_asked: bool) -> None:
    parsed = parse_window(query)

    assert (parsed, parsed.is_asked) == (window, is_asked)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", CursorPage(None, 20)),
        ("after=a1&limit=5", CursorPage("a1", 5)),
        ("after=", CursorPage(None, 20)),
        ("limit=101", CursorPage(None, 100)),
        ("limit=0", CursorPage(None, 1)),
        ("limit=x", CursorPage(None, 20)),
    ],
)
def test_cursor_pages_have_bounded_limits(query: str, page: CursorPage) -> None:
    assert parse_cursor_page(query) == page
