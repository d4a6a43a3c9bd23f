"""A live query as it was asked, and made ready to judge rows. Pure and immutable; any thread may use either."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from pylon_core.manifest import EntityDef, FieldKind
from pylon_http.where import AllOf, Compare, Comparison, Where
from pylon_sync.live.operands import Kinds, kinds_of, operand
from pylon_sync.live.ordering import compile_order
from pylon_sync.live.predicate import compile_where


class LiveQuery(msgspec.Struct, frozen=True):
    """The first ``limit`` rows of an entity that a filter selects, in an order (as in ``Filter``)."""

    entity: str
    where: Where
    order: tuple[tuple[str, bool], ...]
    limit: int

    @property
    def key(self) -> bytes:
        """Equal for equal queries. ``1``, ``1.0`` and ``true`` are three values here: a field may take one of them
        and refuse another."""
        return hashlib.blake2b(repr(self).encode(), digest_size=24).digest()


class Selection:
    """Which rows of the entity a query selects, and in which order; for a query that the store takes."""

    def __init__(self, query: LiveQuery, entity: EntityDef) -> None:
        """Raises DataError INVALID_QUERY for a search."""
        kinds = kinds_of(entity)
        self.matches = compile_where(query.where, kinds)
        self.key = compile_order(query.order, kinds)
        self.equality = _equality(query.where, kinds)
        """A field and the value that every selected row has there; ``None`` when there is no such field."""


def _equality(where: Where, kinds: Kinds) -> tuple[str, Any] | None:
    """Of several the first, but rather one that can take more than two values."""
    found = sorted(_equalities(where), key=lambda term: kinds[term.field] is FieldKind.BOOL)
    if not found:
        return None
    field = found[0].field
    return field, operand(kinds[field], found[0].value)


def _equalities(where: Where) -> Iterator[Compare]:
    """The equalities that must hold for the whole to hold."""
    match where:
        case Compare(comparison=Comparison.EQ):
            yield where
        case AllOf(terms):
            for term in terms:
                yield from _equalities(term)
