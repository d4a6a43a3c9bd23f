"""A formula as a SQL condition, in text that SQLite (3.45 or newer) and Postgres read alike.

``specialise`` settles what one identity and one table decide, so that only comparisons of columns remain;
``render`` writes those. A column is expected to hold values of its declared kind, text in a collation by code
points. Datetimes are bound as ``fixed_width`` text: what SQLite stores, and what Postgres reads as its own type. A
parameter is always something both engines take: a text that no column can hold is folded away. Pure functions.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pylon_core.datetimes import fixed_width
from pylon_http import Condition
from pylon_policy.auth import AuthMember, PolicyAuth
from pylon_policy.formula import (
    FALSE,
    AllOf,
    AnyOf,
    Atom,
    AuthRef,
    Constant,
    Equal,
    Formula,
    IsNull,
    OneOf,
    Order,
    Ref,
    RowRef,
    Truthy,
    all_of,
    any_of,
    constant,
)
from pylon_policy.identity import is_fact
from pylon_policy.values import NUMBERS, Columns, accepted_by


class Open(enum.Enum):
    """A member's value that the SQL text need not know."""

    TEXT = enum.auto()
    """Some text, to be bound as a parameter."""
    UNSTORABLE = enum.auto()
    """A text that no column holds, and so equals none."""


MemberValue = str | bool | Open | None

CHAIN_TERMS_MAX = 8
"""Longer chains are written as a balanced tree: SQLite limits the depth of an expression to 1000."""


def specialise(
    formula: Formula, columns: Columns, facts: Mapping[Atom, bool], members: Mapping[AuthMember, MemberValue]
) -> Formula:
    """The formula with everything folded that an identity (``facts``, ``members``) and the column kinds settle.

    What remains is a constant, or a formula over columns alone that ``render`` can write.
    """
    match formula:
        case Constant():
            return formula
        case AllOf(terms):
            return all_of(specialise(term, columns, facts, members) for term in terms)
        case AnyOf(terms):
            return any_of(specialise(term, columns, facts, members) for term in terms)
        case Equal(RowRef() as left, AuthRef(member), wanted):
            value = members[member]
            if value is None:
                return FALSE if wanted else IsNull(left, wanted=False)
            if value is Open.TEXT:
                return formula
            if value is Open.UNSTORABLE:
                return constant(not wanted)
            return _among_columns(OneOf(left, accepted_by([value]), wanted), columns)
        case _ if is_fact(formula):
            return constant(facts[formula])
        case _:
            return _among_columns(formula, columns)


def _among_columns(atom: Atom, columns: Columns) -> Formula:
    """The atom, or what it comes to when its columns can never hold comparable values."""
    match atom:
        case OneOf(ref, accepted, wanted):
            return atom if accepted.of(_kind(ref, columns)) else constant(not wanted)
        case Equal(left, right, wanted):
            if _comparable(_kind(left, columns), _kind(right, columns)):
                return atom
            return FALSE if wanted else any_of([IsNull(left, wanted=False), IsNull(right, wanted=False)])
        case Order(left=left, right=right):
            operands = (left, right) if isinstance(right, RowRef) else (left,)
            orderly = frozenset({datetime}) if left.is_instant else NUMBERS
            return atom if all(_kind(ref, columns) in orderly for ref in operands) else FALSE
        case _:
            return atom


def _comparable(one: type, other: type) -> bool:
    return one is other or (one in NUMBERS and other in NUMBERS)


def _column(ref: Ref) -> str:
    """The column a reference names. Scopes of reading resolve nothing but declared fields of the row."""
    assert isinstance(ref, RowRef)
    (name,) = ref.segments
    return name


def _kind(ref: Ref, columns: Columns) -> type:
    return columns[_column(ref)]


@dataclass(frozen=True, slots=True)
class Template:
    """A condition whose ``slots`` are parameter values, or an ``AuthRef`` where the identity's member goes."""

    sql: str
    slots: tuple[Any, ...]

    def fill(self, auth: PolicyAuth) -> Condition:
        params = [getattr(auth, slot.member) if isinstance(slot, AuthRef) else slot for slot in self.slots]
        return Condition(self.sql, tuple(params))


NEVER = Template("1 = 0", ())


def render(formula: Formula, columns: Columns) -> Template:
    """SQL for a specialised formula that is no constant."""
    writer = _Writer(columns)
    sql = writer.write(formula)
    return Template(sql, tuple(writer.slots))


class _Writer:
    """Writes SQL text left to right, so that ``slots`` fill in the order of the ``?``."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.slots: list[Any] = []

    def write(self, formula: Formula) -> str:
        match formula:
            case AllOf(terms):
                return self._chain(terms, " AND ")
            case AnyOf(terms):
                return self._chain(terms, " OR ")
            case Truthy(ref, wanted):
                return self._truthy(ref, wanted=wanted)
            case IsNull(ref, wanted):
                return f"{_quoted(ref)} IS NULL" if wanted else f"{_quoted(ref)} IS NOT NULL"
            case OneOf(ref, accepted, wanted):
                return self._one_of(ref, accepted.of(_kind(ref, self._columns)), wanted=wanted)
            case Equal(left, right, wanted):
                return self._relation(left, "=" if wanted else "IS DISTINCT FROM", right)
            case Order(op, left, right):
                if isinstance(right, RowRef):
                    return self._relation(left, op, right)
                return f"{_quoted(left)} {op} {self._bind(self._literal(left, right))}"
        raise AssertionError(formula)  # a constant or a fact: ``specialise`` leaves none

    def _chain(self, terms: Sequence[Formula], joint: str) -> str:
        if len(terms) > CHAIN_TERMS_MAX:
            half = len(terms) // 2
            return f"({self._chain(terms[:half], joint)}){joint}({self._chain(terms[half:], joint)})"
        return joint.join(self._term(term) for term in terms)

    def _term(self, formula: Formula) -> str:
        # An atom that is an OR itself brings its own parentheses.
        return f"({self.write(formula)})" if isinstance(formula, AllOf | AnyOf) else self.write(formula)

    def _truthy(self, ref: Ref, *, wanted: bool) -> str:
        column, kind = _quoted(ref), _kind(ref, self._columns)
        if kind is bool:
            return self._one_of(ref, (True,), wanted=wanted)
        if kind is str:
            return f"{column} <> ''" if wanted else f"({column} IS NULL OR {column} = '')"
        return f"{column} IS NOT NULL" if wanted else f"{column} IS NULL"

    def _one_of(self, ref: Ref, values: Sequence[Any], *, wanted: bool) -> str:
        column = _quoted(ref)
        marks = ", ".join([self._bind(value) for value in values])
        if len(values) == 1:
            return f"{column} = {marks}" if wanted else f"{column} IS DISTINCT FROM {marks}"
        return f"{column} IN ({marks})" if wanted else f"({column} IS NULL OR {column} NOT IN ({marks}))"

    def _relation(self, left: Ref, sign: str, right: Ref) -> str:
        if isinstance(right, AuthRef):
            return f"{_quoted(left)} {sign} {self._bind(right)}"
        if _kind(left, self._columns) is _kind(right, self._columns):
            return f"{_quoted(left)} {sign} {_quoted(right)}"
        return f"{self._double(left)} {sign} {self._double(right)}"

    def _double(self, ref: Ref) -> str:
        """A number as the engines compare a whole one with a fraction, said so that both do."""
        if _kind(ref, self._columns) is float:
            return _quoted(ref)
        return f"CAST({_quoted(ref)} AS DOUBLE PRECISION)"

    def _literal(self, ref: RowRef, value: float | str) -> int | float | str:
        """A number in the column's own kind where that is exact: no engine rounds the column to compare then."""
        if isinstance(value, str):
            return fixed_width(value)
        if _kind(ref, self._columns) is float:
            return float(value)
        return int(value) if value == int(value) else value

    def _bind(self, slot: Any) -> str:
        self.slots.append(slot)
        return "?"


def _quoted(ref: Ref) -> str:
    return '"' + _column(ref).replace('"', '""') + '"'
