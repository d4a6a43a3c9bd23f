"""What makes a rule definitely true: the form between the expression tree and its two emitted forms.

A formula is a tree of ``AllOf`` and ``AnyOf`` over atoms and knows no negation: ``lowering`` has pushed every
``!`` into the atoms. Each atom is two-valued and means "this is definitely so", so an unknown comparison is
simply an atom that does not hold, and Python and SQL need only emit atoms. Formulas are immutable.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pylon_policy.auth import AuthMember
from pylon_policy.expression import Comparison
from pylon_policy.values import Accepted


class Root(enum.StrEnum):
    """Where a row path starts: the row, the row before an update, the payload."""

    DATA = "data"
    EXISTING = "existing"
    INPUT = "input"


@dataclass(frozen=True, slots=True)
class AuthRef:
    member: AuthMember


@dataclass(frozen=True, slots=True)
class RowRef:
    """``is_instant``: the value is an instant in its one spelling, or read as null."""

    root: Root
    segments: tuple[str, ...]
    is_instant: bool = False


Ref = AuthRef | RowRef


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    terms: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    terms: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class HasRole:
    """The identity has one of the roles, or (not ``wanted``) none of them."""

    roles: tuple[str, ...]
    wanted: bool


@dataclass(frozen=True, slots=True)
class Truthy:
    """The bare value reads as true, or (not ``wanted``) as false. Null reads as false."""

    ref: Ref
    wanted: bool


@dataclass(frozen=True, slots=True)
class IsNull:
    ref: Ref
    wanted: bool


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value equals one of some literals, or (not ``wanted``) none. Null equals none."""

    ref: Ref
    accepted: Accepted
    wanted: bool


@dataclass(frozen=True, slots=True)
class Equal:
    """Both values are there and equal, or (not ``wanted``) at least one is there and they are not equal.

    Two nulls are neither: that is what fails closed. An ``AuthRef`` always stands in ``right``.
    """

    left: Ref
    right: Ref
    wanted: bool


@dataclass(frozen=True, slots=True)
class Order:
    """Both are numbers, or (one being an instant) both are instants, and in this order.

    A text in ``right`` is an instant in its one spelling.
    """

    op: Comparison
    left: RowRef
    right: RowRef | int | float | str


Atom = HasRole | Truthy | IsNull | OneOf | Equal | Order
Formula = Constant | AllOf | AnyOf | Atom

TRUE = Constant(value=True)
FALSE = Constant(value=False)


def constant(value: object) -> Constant:
    return TRUE if value else FALSE


def all_of(terms: Iterable[Formula]) -> Formula:
    """The conjunction, without constants and without conjunctions inside."""
    kept: list[Formula] = []
    for term in terms:
        if term == FALSE:
            return FALSE
        if isinstance(term, AllOf):
            kept.extend(term.terms)
        elif term != TRUE:
            kept.append(term)
    if len(kept) == 1:
        return kept[0]
    return AllOf(tuple(kept)) if kept else TRUE


def any_of(terms: Iterable[Formula]) -> Formula:
    """The disjunction, without constants and without disjunctions inside."""
    kept: list[Formula] = []
    for term in terms:
        if term == TRUE:
            return TRUE
        if isinstance(term, AnyOf):
            kept.extend(term.terms)
        elif term != FALSE:
            kept.append(term)
    if len(kept) == 1:
        return kept[0]
    return AnyOf(tuple(kept)) if kept else FALSE


def atoms(formula: Formula) -> Iterator[Atom]:
    """Every atom, left to right."""
    if isinstance(formula, AllOf | AnyOf):
        for term in formula.terms:
            yield from atoms(term)
    elif not isinstance(formula, Constant):
        yield formula


def refs(atom: Atom) -> tuple[Ref, ...]:
    match atom:
        case HasRole():
            return ()
        case Truthy(ref) | IsNull(ref) | OneOf(ref):
            return (ref,)
        case Equal(left, right):
            return (left, right)
        case Order(left=left, right=right):
            return (left, right) if isinstance(right, RowRef) else (left,)
