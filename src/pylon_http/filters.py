"""A filter document as clients and functions write it, as a ``Filter`` (contract 12 §7). Pure.

Beyond the contract it takes ``$and`` and ``$or`` (arrays of filter documents) and ``$exists``. Checks the form
alone; which fields exist is the store's to say. Whatever is not understood is refused, because a constraint that
is silently dropped shows rows that were not asked for (design §4, decision 18).
"""

from collections.abc import Callable, Mapping
from typing import Any

from pylon_http.documents import malformed, search_text, whole_number
from pylon_http.rows import Filter
from pylon_http.where import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Contains,
    Exists,
    Matches,
    OneOf,
    Scalar,
    Where,
)

TERMS_MAX = 500
DEPTH_MAX = 16
MEMBERS_MAX = 10_000
"""Members of one ``$in``."""
LIKE_CHARS_MAX = 1_000
"""The time of a look grows with pattern times text."""

_OPTIONS = frozenset({"$order", "$limit", "$offset"})


def parse_filter(document: object) -> Filter:
    """The filter a decoded JSON document means. Raises DataError INVALID_QUERY for one that means nothing.

    An option that is null counts as absent.
    """
    members = _object(document)
    return Filter(
        where=parse_where({name: value for name, value in members.items() if name not in _OPTIONS}),
        order=_order(members.get("$order")),
        limit=whole_number("$limit", members.get("$limit")),
        offset=whole_number("$offset", members.get("$offset")) or 0,
    )


def parse_where(document: object) -> Where:
    """The constraints of a filter document that has no options. Raises DataError INVALID_QUERY."""
    return _all(_object(document), 0, _Budget())


class _Budget:
    """Counts the terms of one document."""

    def __init__(self) -> None:
        self._left = TERMS_MAX

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise malformed(f"A filter takes at most {TERMS_MAX} conditions.")


def _all(document: Mapping[str, Any], depth: int, budget: _Budget) -> Where:
    if depth > DEPTH_MAX:
        raise malformed(f"A filter nests at most {DEPTH_MAX} levels deep.")
    terms = [term for name, value in document.items() for term in _member(name, value, depth, budget)]
    if not terms:
        budget.spend()
        return EVERYTHING
    return terms[0] if len(terms) == 1 else AllOf(tuple(terms))


def _member(name: str, value: Any, depth: int, budget: _Budget) -> list[Where]:
    if name in ("$and", "$or"):
        if not isinstance(value, list) or not value:
            raise malformed(f"{name} needs an array of filters.")
        parts = tuple(_all(_object(part), depth + 1, budget) for part in value)
        return [AllOf(parts) if name == "$and" else AnyOf(parts)]
    budget.spend()
    if name == "$search":
        return [Matches(search_text("$search", value))]
    if name.startswith("$"):
        raise malformed(f"{name} is not a filter option.")
    if not isinstance(value, dict):
        return [_equality(name, value)]
    if not value:
        raise malformed(f"The constraint on {name} is empty.")
    return [_operator(name, operator, operand, budget) for operator, operand in value.items()]


def _operator(field: str, operator: str, operand: Any, budget: _Budget) -> Where:
    budget.spend()
    term = _OPERATORS.get(operator)
    if term is None:
        raise malformed(f"{operator!r} is not an operator; {field} may use {', '.join(sorted(_OPERATORS))}.")
    return term(field, operand)


def _equality(field: str, value: Any) -> Where:
    if value is None:
        return Exists(field, wanted=False)
    return Compare(field, Comparison.EQ, _scalar(field, value))


def _inequality(field: str, value: Any) -> Where:
    if value is None:
        return Exists(field)
    return Compare(field, Comparison.NE, _scalar(field, value))


def _comparison(comparison: Comparison) -> Callable[[str, Any], Where]:
    def compare(field: str, value: Any) -> Where:
        if value is None:
            raise malformed(f"{field} cannot be compared with null; $exists asks whether it has a value.")
        return Compare(field, comparison, _scalar(field, value))

    return compare


def _contains(field: str, value: Any) -> Where:
    if not isinstance(value, str):
        raise malformed(f"$like on {field} needs a string.")
    if len(value) > LIKE_CHARS_MAX:
        raise malformed(f"$like on {field} takes at most {LIKE_CHARS_MAX} characters.")
    return Contains(field, value)


def _one_of(field: str, value: Any) -> Where:
    if not isinstance(value, list):
        raise malformed(f"$in on {field} needs an array.")
    if len(value) > MEMBERS_MAX:
        raise malformed(f"$in on {field} takes at most {MEMBERS_MAX} members.")
    # a null member matches nothing: no value equals null
    return OneOf(field, tuple(_scalar(field, member) for member in value if member is not None))


def _exists(field: str, value: Any) -> Where:
    if not isinstance(value, bool):
        raise malformed(f"$exists on {field} needs true or false.")
    return Exists(field, wanted=value)


_OPERATORS: Mapping[str, Callable[[str, Any], Where]] = {
    "$not": _inequality,
    "$gt": _comparison(Comparison.GT),
    "$gte": _comparison(Comparison.GE),
    "$lt": _comparison(Comparison.LT),
    "$lte": _comparison(Comparison.LE),
    "$like": _contains,
    "$in": _one_of,
    "$exists": _exists,
}


def _scalar(field: str, value: Any) -> Scalar:
    if isinstance(value, str | int | float):
        return value
    raise malformed(f"{field} can be compared with a string, a number or a boolean only.")


def _object(document: object) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise malformed("A filter must be an object.")
    return document


def _order(order: Any) -> tuple[tuple[str, bool], ...]:
    """Only ``desc`` descends: a direction drops no constraint, so a strange one is no reason to refuse."""
    if order is None:
        return ()
    if not isinstance(order, Mapping):
        raise malformed("$order must be an object of fields and directions.")
    return tuple((field, direction in ("desc", "DESC")) for field, direction in order.items())
