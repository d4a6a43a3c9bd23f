"""Which rows are meant, as a tree of terms: what a filter document parses to and a store renders. Pure.

A term is true, false or, where a field is null, neither; only rows for which the whole tree is true are meant.
Whether a field exists and a value fits it is the store's to say.
"""

import enum
from collections.abc import Iterator
from typing import Union

import msgspec

Scalar = str | int | float | bool
"""A JSON value that a field can hold and be compared with."""


class Comparison(enum.Enum):
    """By SQL operator."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


class Compare(msgspec.Struct, frozen=True):
    """Text compares by code point, datetimes as instants, false before true. Null compares with nothing."""

    field: str
    comparison: Comparison
    value: Scalar


class Contains(msgspec.Struct, frozen=True):
    """The text field has this text somewhere in it, letter for letter."""

    field: str
    text: str


class OneOf(msgspec.Struct, frozen=True):
    field: str
    values: tuple[Scalar, ...]


class Exists(msgspec.Struct, frozen=True):
    """The field is not null; with ``wanted`` false, that it is."""

    field: str
    wanted: bool = True


class Matches(msgspec.Struct, frozen=True):
    """The row's searchable text matches a search (syntax: ``pylon_http.search``)."""

    search: str


class AllOf(msgspec.Struct, frozen=True):
    terms: tuple["Where", ...]


class AnyOf(msgspec.Struct, frozen=True):
    terms: tuple["Where", ...]


Where = Union[Compare, Contains, OneOf, Exists, Matches, AllOf, AnyOf]  # noqa: UP007 - names itself in strings

EVERYTHING = AllOf(())


def equal(field: str, value: Scalar) -> Compare:
    return Compare(field, Comparison.EQ, value)


def fields_of(where: Where) -> Iterator[str]:
    """The fields a tree looks at; what a search looks at is the entity's to say."""
    if isinstance(where, AllOf | AnyOf):
        for term in where.terms:
            yield from fields_of(term)
    elif not isinstance(where, Matches):
        yield where.field


def searches_of(where: Where) -> Iterator[str]:
    """The searches in a tree."""
    if isinstance(where, AllOf | AnyOf):
        for term in where.terms:
            yield from searches_of(term)
    elif isinstance(where, Matches):
        yield where.search
