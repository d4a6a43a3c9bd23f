"""A filter as a Python predicate: the rows that the SQL selects which ``pylon_storage.where`` makes of it. Pure.

A comparison with null is neither true nor false in SQL. No term of a filter negates another, so here that is
simply false. The oracle of both is ``tests/pylon_sync/live/test_agreement.py``.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from pylon_http.errors import DataError
from pylon_http.where import AllOf, AnyOf, Compare, Comparison, Contains, Exists, Matches, OneOf, Where
from pylon_sync.live.operands import Kinds, operand, ordered

Predicate = Callable[[Mapping[str, Any]], bool]
"""Whether a row is meant."""

_ORDERS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
}


def compile_where(where: Where, kinds: Kinds) -> Predicate:
    """For a filter that a store takes for an entity of these fields.

    Raises DataError INVALID_QUERY for a search: which words a text has is for the databases to say.
    """
    match where:
        case AllOf(terms):
            return _all([compile_where(term, kinds) for term in terms])
        case AnyOf(terms):
            return _any([compile_where(term, kinds) for term in terms])
        case Compare(field, Comparison.EQ, value):
            return _equal(field, operand(kinds[field], value))
        case Compare(field, Comparison.NE, value):
            return _unequal(field, operand(kinds[field], value))
        case Compare(field, comparison, value):
            comparable = ordered(kinds[field])
            return _in_order(field, comparable, _ORDERS[comparison], comparable(operand(kinds[field], value)))
        case Contains(field, text):
            return _contains(field, text)
        case OneOf(field, values):
            return _one_of(field, frozenset(operand(kinds[field], value) for value in values))
        case Exists(field, wanted):
            return _exists(field) if wanted else _missing(field)
        case Matches():
            raise DataError("INVALID_QUERY", "A live query takes no $search.")
    assert_never(where)


def _all(terms: list[Predicate]) -> Predicate:
    if len(terms) == 1:
        return terms[0]
    return lambda row: all(term(row) for term in terms)


def _any(terms: list[Predicate]) -> Predicate:
    return lambda row: any(term(row) for term in terms)


def _equal(field: str, wanted: Any) -> Predicate:
    return lambda row: bool(row.get(field) == wanted)


def _unequal(field: str, unwanted: Any) -> Predicate:
    return lambda row: (value := row.get(field)) is not None and bool(value != unwanted)


def _in_order(
    field: str, comparable: Callable[[Any], Any], holds: Callable[[Any, Any], bool], other: Any
) -> Predicate:
    return lambda row: (value := row.get(field)) is not None and holds(comparable(value), other)


def _contains(field: str, text: str) -> Predicate:
    return lambda row: (value := row.get(field)) is not None and text in value


def _one_of(field: str, members: frozenset[Any]) -> Predicate:
    return lambda row: row.get(field) in members


def _exists(field: str) -> Predicate:
    return lambda row: row.get(field) is not None


def _missing(field: str) -> Predicate:
    return lambda row: row.get(field) is None
