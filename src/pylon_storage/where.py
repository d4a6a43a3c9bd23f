"""The condition of a filter as SQL: the tree of ``pylon_http.where``, the policy's condition, the cursor. Pure."""

from collections.abc import Sequence
from typing import Any

from pylon_core.manifest import TEXT_KINDS
from pylon_http import DataError, Filter
from pylon_http.where import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    Contains,
    Exists,
    Matches,
    OneOf,
    Where,
    searches_of,
)
from pylon_storage import sql
from pylon_storage.catalog import EntityTable
from pylon_storage.fragment import Fragment


def where_clause(table: EntityTable, rows: Filter) -> Fragment:
    """The ``WHERE`` of a filter (with a leading space, or empty).

    Raises DataError INVALID_COLUMN for a name that is not a field, INVALID_QUERY for a value that does not fit,
    SEARCH_NOT_CONFIGURED for a search where there is none.
    """
    parts = [] if rows.where == EVERYTHING else [_condition(table, rows.where)]
    if rows.condition is not None:
        parts.append(Fragment(f"({rows.condition.sql})", rows.condition.params))
    if rows.after is not None:
        parts.append(Fragment('"id" > ?', (rows.after,)))
    if not parts:
        return Fragment("")
    return Fragment(f" WHERE {' AND '.join(part.text for part in parts)}", _params(parts))


def _condition(table: EntityTable, where: Where) -> Fragment:
    """A tree of terms as one condition."""
    codec = table.codec
    match where:
        case AllOf(terms):
            return _joined(table, terms, " AND ", "1 = 1")
        case AnyOf(terms):
            return _joined(table, terms, " OR ", "1 = 0")
        case Compare(field, comparison, value):
            return Fragment(f"{sql.quote(field)} {comparison.value} ?", (codec.operand(field, value),))
        case Contains(field, text):
            if codec.kind(field) not in TEXT_KINDS:
                raise DataError("INVALID_QUERY", f"$like looks into text; {codec.entity}.{field} is none.")
            return Fragment(codec.dialect.contains(sql.quote(field)), (codec.operand(field, text),))
        case OneOf(field, values):
            kind = codec.kind(field)
            members = codec.dialect.members([codec.operand(field, value) for value in values], kind)
            return Fragment(codec.dialect.member(sql.quote(field), kind), (members,))
        case Exists(field, wanted):
            codec.check_known(field)
            return Fragment(f"{sql.quote(field)} IS {'NOT ' if wanted else ''}NULL")
        case Matches(search):
            return table.index.matching(search)


def order_clause(table: EntityTable, rows: Filter) -> Fragment:
    """``ORDER BY`` as written, ties broken by id, so that pages never overlap."""
    codec = table.codec
    if rows.after is not None:
        return Fragment(' ORDER BY "id"')
    keys = [
        codec.dialect.sort_key(sql.quote(field), descending=descending, nullable=codec.is_nullable(field))
        for field, descending in rows.order
    ]
    params: tuple[Any, ...] = ()
    if not keys and (search := next(searches_of(rows.where), None)) is not None:
        relevance = table.index.relevance(search)
        keys.append(relevance.text)
        params = relevance.params
    if not any(field == "id" for field, _ in rows.order):
        keys.append('"id"')
    return Fragment(f" ORDER BY {', '.join(keys)}", params)


def _joined(table: EntityTable, terms: Sequence[Where], word: str, empty: str) -> Fragment:
    if not terms:
        return Fragment(empty)
    parts = [_condition(table, term) for term in terms]
    return Fragment(f"({word.join(part.text for part in parts)})", _params(parts))


def _params(parts: Sequence[Fragment]) -> tuple[Any, ...]:
    return tuple(param for part in parts for param in part.params)
