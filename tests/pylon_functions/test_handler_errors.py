"""What callers are told of a handler's end, however its process puts it."""

from typing import Any

import pytest

from pylon_functions.handler_errors import MESSAGE_CHARACTERS_MAX, handler_error
from pylon_functions.protocol import Failure

INTERNAL = ("HANDLER_ERROR", "Internal handler error")


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("SOLD_OUT", "None are left.", ("SOLD_OUT", "None are left.")),
        ("A1", "", ("A1", "")),
        ("X" * 64, "y", ("X" * 64, "y")),
        (None, None, INTERNAL),
        (5, None, INTERNAL),
        ("", "y", ("HANDLER_ERROR", "y")),
        ("A B\n", "secret", INTERNAL),
        ("A\n", "secret", INTERNAL),
        ("sold_out", "secret", INTERNAL),
        ("1A", "secret", INTERNAL),
        ("É", "secret", INTERNAL),
        ("X" * 65, "secret", INTERNAL),
        ("X" * 100_000, "secret", INTERNAL),
        (["A"], "secret", INTERNAL),
        ("A", {"text": 1}, ("A", "Internal handler error")),
    ],
)
def test_a_code_is_upper_case_and_short_or_none(code: Any, message: Any, told: tuple[str, str]) -> None:
    error = handler_error(Failure("c_1", code, message))

    assert (error.code, error.message, error.status) == (*told, 400)


@pytest.mark.parametrize("length", [MESSAGE_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX + 1, 1_000_000])
def test_a_message_is_cut_where_it_gets_too_long(length: int) -> None:
    message = handler_error(Failure("c_1", "A", "y" * length)).message

    assert len(message) == min(length, MESSAGE_CHARACTERS_MAX)
    assert message.endswith("…") == (length > MESSAGE_CHARACTERS_MAX)
