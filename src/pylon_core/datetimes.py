"""Datetimes in their one spelling: RFC 3339 in UTC, with ``Z``, and no more of a fraction than there is.

``2026-05-02T22:22:53Z``, ``…53.250Z`` or ``…53.250001Z``: nothing, milliseconds or microseconds. Text of that
form is what JSON carries; ``fixed_width`` is the form whose order as text is the order of the instants. Pure.
"""

from datetime import UTC, datetime

import msgspec

_MICROSECOND_LENGTH = len("2026-05-02T22:22:53.250001Z")
_SECOND_LENGTH = len("2026-05-02T22:22:53Z")
_MILLISECOND_LENGTH = len("2026-05-02T22:22:53.250Z")


def parse_instant(text: str) -> str:
    """An RFC 3339 date-time with any offset, in its one spelling. Raises ``ValueError`` for anything else, one
    without an offset among them, and for an instant outside the years 1 to 9999."""
    if text.isascii():
        try:
            instant = msgspec.convert(text, datetime)
            if instant.tzinfo is not None:
                utc = instant.astimezone(UTC).replace(tzinfo=None)
                return shortest(utc.isoformat(timespec="microseconds") + "Z")
        except (msgspec.ValidationError, OverflowError):
            pass
    raise ValueError("no RFC 3339 date-time")


def shortest(fixed: str) -> str:
    """The one spelling of what ``fixed_width`` gave."""
    if fixed.endswith("000000Z"):
        return fixed[: _SECOND_LENGTH - 1] + "Z"
    if fixed.endswith("000Z"):
        return fixed[: _MILLISECOND_LENGTH - 1] + "Z"
    return fixed


def fixed_width(text: str) -> str:
    """With six digits of a fraction always."""
    if len(text) == _MICROSECOND_LENGTH:
        return text
    if len(text) == _SECOND_LENGTH:
        return text[:-1] + ".000000Z"
    return text[:-1] + "000Z"
