"""What the parsers of request documents (filters, graphs, aggregations, searches) have in common. Pure."""

from typing import Any

from pylon_http.errors import DataError

NUMBER_MAX = 2**63 - 1
"""The largest whole number both databases hold."""

SEARCH_CHARS_MAX = 1_000


def malformed(message: str) -> DataError:
    return DataError("INVALID_QUERY", message)


def whole_number(member: str, value: Any) -> int | None:
    """A number from 0 on that both databases hold; ``None`` for null. Raises INVALID_QUERY."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NUMBER_MAX:
        raise malformed(f"{member} must be a whole number from 0 on.")
    return value


def search_text(member: str, value: Any) -> str:
    """What somebody typed (syntax: ``docs/search.md``). Raises INVALID_QUERY."""
    if not isinstance(value, str):
        raise malformed(f"{member} must be a string.")
    if len(value) > SEARCH_CHARS_MAX:
        raise malformed(f"A search takes at most {SEARCH_CHARS_MAX} characters.")
    return value
