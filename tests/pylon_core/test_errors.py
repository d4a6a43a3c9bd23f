"""The published codes and the one root of errors (contract 01 §2)."""

import re

import pytest

from pylon_core.errors import PUBLISHED_CODES, PylonError, status_of


def test_there_are_60_published_codes_all_different() -> None:
    assert len(PUBLISHED_CODES) == 60
    assert len(set(PUBLISHED_CODES)) == 60


@pytest.mark.parametrize("code", PUBLISHED_CODES)
def test_a_published_code_is_upper_snake(code: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", code)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AUTH_REQUIRED", 401),
        ("POLICY_DENIED", 403),
        ("ENTITY_NOT_FOUND", 404),
        ("METHOD_NOT_ALLOWED", 405),
        ("CONFLICT", 409),
        ("RESYNC_REQUIRED", 410),
        ("PAYLOAD_TOO_LARGE", 413),
        ("RATE_LIMITED", 429),
        ("INTERNAL", 500),
        ("RUNNER_EXITED", 502),
        ("NOT_AVAILABLE", 503),
        ("FN_TIMEOUT", 504),
        ("INVALID_JSON", 400),
        ("SOMETHING_NEW", 400),
    ],
)
def test_a_code_decides_its_status(code: str, status: int) -> None:
    assert status_of(code) == status
    assert PylonError(code, "message").status == status


def test_an_error_may_override_the_status_of_its_code() -> None:
    assert PylonError("INSERT_FAILED", "taken", status=409).status == 409


def test_an_error_carries_what_it_was_given() -> None:
    error = PylonError("RESYNC_REQUIRED", "start again", hint="drop the cursor", details={"oldest_seq": 7})

    assert (error.code, error.message, error.hint) == ("RESYNC_REQUIRED", "start again", "drop the cursor")
    assert error.details == {"oldest_seq": 7}
    assert str(error) == "RESYNC_REQUIRED: start again"


def test_hint_and_details_are_absent_by_default() -> None:
    error = PylonError("NOT_FOUND", "no such row")

    assert (error.hint, error.details) == (None, None)
