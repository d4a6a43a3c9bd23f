"""An error as a response: the envelope both kinds of clients read, and when to come again."""

from typing import Any

import pytest

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Response


def test_the_envelope_carries_code_message_hint_and_details() -> None:
    error = PylonError("CONFLICT", "Taken.", hint="Choose another.", details={"oldest_seq": 7})

    response = Response.error(error)

    inner = {"code": "CONFLICT", "message": "Taken.", "hint": "Choose another.", "oldest_seq": 7}
    assert response.status == 409
    assert jsontext.decode(response.body) == {"error": inner, "code": "CONFLICT", "message": "Taken."}


@pytest.mark.parametrize(
    ("code", "details", "headers"),
    [
        ("NOT_AVAILABLE", None, (("Retry-After", "1"),)),
        ("RATE_LIMITED", {"retry_after_secs": 7}, (("Retry-After", "7"),)),
        ("FUNCTIONS_NOT_AVAILABLE", None, ()),
        ("NOT_FOUND", {"oldest_seq": 1}, ()),
    ],
)
def test_an_error_says_when_to_come_again_where_that_is_known(
    code: str, details: dict[str, Any] | None, headers: tuple[tuple[str, str], ...]
) -> None:
    assert Response.error(PylonError(code, "…", details=details)).headers == headers
