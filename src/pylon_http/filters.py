"""A filter document as clients and functions write it, as a ``Filter`` (contract 12 §7). Pure.

Checks the form alone; which fields exist is the store's to say. Whatever is not understood is refused, because
a constraint that is silently dropped shows rows that were not asked for (design §4, decision 18).
"""

from collections.abc import Mapping
from typing import Any

from pylon_http.datastore import DataError, Filter

NUMBER_MAX = 2**63 - 1
"""The largest limit or offset both databases hold."""

_OPERATORS = frozenset({"$not", "$gt", "$gte", "$lt", "$lte", "$like", "$in"})
_OPTIONS = frozenset({"$order", "$limit", "$offset"})


def parse_filter(document: object) -> Filter:
    """The filter a decoded JSON document means. Raises DataError INVALID_QUERY for one that means nothing.

    An option that is null counts as absent.
    """
    if not isinstance(document, dict):
        raise _malformed("A filter must be an object.")
    return Filter(
        where={name: _constraint(name, value) for name, value in document.items() if name not in _OPTIONS},
        order=_order(document.get("$order")),
        limit=_whole_number("$limit", document.get("$limit")),
        offset=_whole_number("$offset", document.get("$offset")) or 0,
    )


def _constraint(name: str, value: Any) -> Any:
    if name.startswith("$"):
        raise _malformed(f"{name} is not a filter option.")
    if isinstance(value, dict):
        if not value:
            raise _malformed(f"The constraint on {name} is empty.")
        for operator, operand in value.items():
            _check_operator(name, operator, operand)
    return value


def _check_operator(name: str, operator: str, operand: Any) -> None:
    if operator not in _OPERATORS:
        raise _malformed(f"{operator!r} is not an operator; {name} may use {', '.join(sorted(_OPERATORS))}.")
    if operator == "$in" and not isinstance(operand, list):
        raise _malformed(f"$in on {name} needs an array.")
    if operator == "$like" and not isinstance(operand, str):
        raise _malformed(f"$like on {name} needs a string.")
    if isinstance(operand, dict):
        raise _malformed(f"{operator} on {name} cannot compare with an object.")


def _order(order: Any) -> tuple[tuple[str, bool], ...]:
    """Only ``desc`` descends: a direction drops no constraint, so a strange one is no reason to refuse."""
    if order is None:
        return ()
    if not isinstance(order, Mapping):
        raise _malformed("$order must be an object of fields and directions.")
    return tuple((field, direction in ("desc", "DESC")) for field, direction in order.items())


def _whole_number(option: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NUMBER_MAX:
        raise _malformed(f"{option} must be a whole number from 0 on.")
    return value


def _malformed(message: str) -> DataError:
    return DataError("INVALID_QUERY", message)
