"""Expression tree to formula: three-valued logic resolved into what must definitely hold.

``hold`` lowers an expression twice over, to "definitely true" (``wanted``) or "definitely false"; ``!`` swaps
the two, and an unknown result is what neither gives. Paths are resolved here against a ``Scope``, so a path
that can never have a value is folded away before either form is emitted, and so is a comparison of an instant
with what is none: it is unknown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeGuard, assert_never

from pylon_policy.auth import AUTH_MEMBERS
from pylon_policy.expression import (
    And,
    Compare,
    Comparison,
    Expression,
    Group,
    In,
    Literal,
    LiteralValue,
    Not,
    Or,
    Path,
    PolicySyntaxError,
    RoleCall,
)
from pylon_policy.formula import (
    FALSE,
    AuthRef,
    Equal,
    Formula,
    HasRole,
    IsNull,
    OneOf,
    Order,
    Ref,
    Root,
    RowRef,
    Truthy,
    all_of,
    any_of,
    constant,
)
from pylon_policy.lexer import TEXT_CHARS_MAX
from pylon_policy.values import Accepted, Columns, Scalar, accepted_by, instant, literals_equal, truthy

STEPS_MAX = 2 * TEXT_CHARS_MAX
"""No plain expression needs more than one step a character, but a condition compared with a path is needed both
ways, so nesting those doubles the formula each time."""

_ROOTS = {"data": Root.DATA, "record": Root.DATA, "existing": Root.EXISTING, "input": Root.INPUT}

_OPPOSITE = {
    Comparison.LT: Comparison.GE,
    Comparison.LE: Comparison.GT,
    Comparison.GT: Comparison.LE,
    Comparison.GE: Comparison.LT,
}
_MIRRORED = {
    Comparison.LT: Comparison.GT,
    Comparison.LE: Comparison.GE,
    Comparison.GT: Comparison.LT,
    Comparison.GE: Comparison.LE,
}

_Condition = Group | Not | RoleCall | And | Or | Compare | In
"""Expressions that, as an operand, are read as a boolean and not as a value."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which paths can have a value: the roots there are and, when the rows are declared, their fields.

    ``columns`` ``None`` means rows of any shape. Payloads are never declared: what a client sent may nest.
    """

    roots: frozenset[Root]
    columns: Columns | None = None

    def resolve(self, path: Path) -> Ref | None:
        """What the path reads; ``None`` when it is always null."""
        first, *rest = path.segments
        if first == "auth":
            member = AUTH_MEMBERS.get(rest[0]) if len(rest) == 1 else None
            return None if member is None else AuthRef(member)
        root = _ROOTS.get(first)
        if root not in self.roots or not rest or "" in rest:
            return None
        if root is Root.INPUT or self.columns is None:
            return RowRef(root, tuple(rest))
        kind = self.columns.get(rest[0]) if len(rest) == 1 else None
        return None if kind is None else RowRef(root, tuple(rest), is_instant=kind is datetime)


ANYTHING = Scope(frozenset(Root))
"""Every root, rows of any shape."""


def lower(expression: Expression, scope: Scope = ANYTHING) -> Formula:
    """The formula that holds exactly when the expression is definitely true.

    Raises ``PolicySyntaxError`` when the formula would be unreasonably large.
    """
    return _Lowering(scope).hold(expression, wanted=True)


class _Lowering:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._steps_left = STEPS_MAX

    def hold(self, expression: Expression, *, wanted: bool) -> Formula:
        self._spend(1)
        match expression:
            case Or(terms):
                join = any_of if wanted else all_of
                return join(self.hold(term, wanted=wanted) for term in terms)
            case And(terms):
                join = all_of if wanted else any_of
                return join(self.hold(term, wanted=wanted) for term in terms)
            case Not(operand):
                return self.hold(operand, wanted=not wanted)
            case Group(inner):
                return self.hold(inner, wanted=wanted)
            case Compare(op, left, right):
                return self._compare(op, left, right, wanted=wanted)
            case In(left, items):
                join = any_of if wanted else all_of
                return join(self._items(left, items, wanted=wanted))
            case RoleCall(roles):
                return HasRole(roles, wanted)
            case Literal(value):
                return constant(truthy(value) == wanted)
            case Path():
                ref = self._scope.resolve(expression)
                return constant(not wanted) if ref is None else Truthy(ref, wanted)
        assert_never(expression)

    def _spend(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise PolicySyntaxError("the expression is too complex: it compares conditions many levels deep", 1, 1)

    def _items(self, left: Expression, items: tuple[Literal, ...], *, wanted: bool) -> list[Formula]:
        """One formula per item, but all literals a path is compared with in a single atom."""
        self._spend(len(items))
        ref = self._scope.resolve(left) if isinstance(left, Path) else None
        values = [item.value for item in items if item.value is not None]
        if ref is None or not values:
            return [self._equal(left, item, wanted=wanted) for item in items]
        assert isinstance(left, Path)
        formulas: list[Formula] = [OneOf(ref, _accepted(left, ref, values), wanted)]
        if len(values) < len(items):
            formulas.append(IsNull(ref, wanted))
        return formulas

    def _compare(self, op: Comparison, left: Expression, right: Literal | Path, *, wanted: bool) -> Formula:
        if op is Comparison.EQ:
            return self._equal(left, right, wanted=wanted)
        if op is Comparison.NE:
            return self._equal(left, right, wanted=not wanted)
        return self._order(op if wanted else _OPPOSITE[op], left, right)

    # --- equality

    def _equal(self, left: Expression, right: Literal | Path, *, wanted: bool) -> Formula:
        if isinstance(left, _Condition):
            return self._condition_equal(left, right, wanted=wanted)
        match left, right:
            case Literal(one), Literal(other):
                return constant(_literals_match(one, other) == wanted)
            case Literal(value), Path():
                return self._path_equals_literal(right, value, wanted=wanted)
            case Path(), Literal(value):
                return self._path_equals_literal(left, value, wanted=wanted)
            case Path(), Path():
                return _refs_equal(self._scope.resolve(left), self._scope.resolve(right), wanted=wanted)
        raise AssertionError((left, right))

    def _path_equals_literal(self, path: Path, value: LiteralValue, *, wanted: bool) -> Formula:
        ref = self._scope.resolve(path)
        if ref is None:
            return constant((value is None) == wanted)
        return IsNull(ref, wanted) if value is None else OneOf(ref, _accepted(path, ref, [value]), wanted)

    def _condition_equal(self, left: _Condition, right: Literal | Path, *, wanted: bool) -> Formula:
        if isinstance(right, Literal):
            if isinstance(right.value, bool):
                return self.hold(left, wanted=right.value == wanted)
            return FALSE if wanted else self._known(left)
        ref = self._scope.resolve(right)
        if ref is None:
            return FALSE if wanted else self._known(left)
        if _is_instant(ref):
            return FALSE
        return any_of(
            all_of([self.hold(left, wanted=flag), OneOf(ref, accepted_by([flag]), wanted)])
            for flag in (True, False)
        )

    def _known(self, condition: Expression) -> Formula:
        return any_of([self.hold(condition, wanted=True), self.hold(condition, wanted=False)])

    # --- order

    def _order(self, op: Comparison, left: Expression, right: Literal | Path) -> Formula:
        match left, right:
            case Literal(one), Literal(other):
                return constant(_is_number(one) and _is_number(other) and _ordered(op, one, other))
            case Path(), Path():
                return self._paths_ordered(op, left, right)
            case Path(), Literal(value):
                return self._path_ordered(op, left, value)
            case Literal(value), Path():
                return self._path_ordered(_MIRRORED[op], right, value)
        return FALSE  # conditions are in no order

    def _paths_ordered(self, op: Comparison, left: Path, right: Path) -> Formula:
        one, other = self._scope.resolve(left), self._scope.resolve(right)
        if not isinstance(one, RowRef) or not isinstance(other, RowRef):
            return FALSE  # nor are identities
        pair = _of_one_kind(one, other)
        return FALSE if pair is None else Order(op, *pair)

    def _path_ordered(self, op: Comparison, path: Path, value: LiteralValue) -> Formula:
        ref = self._scope.resolve(path)
        if not isinstance(ref, RowRef) or value is None:
            return FALSE
        if ref.is_instant:
            return Order(op, ref, _instant_literal(path, value))
        return Order(op, ref, value) if _is_number(value) else FALSE


def _literals_match(one: LiteralValue, other: LiteralValue) -> bool:
    if one is None or other is None:
        return one is other
    return literals_equal(one, other)


def _refs_equal(one: Ref | None, other: Ref | None, *, wanted: bool) -> Formula:
    if one is None or other is None:
        there = one or other
        return FALSE if wanted or there is None else IsNull(there, wanted=False)
    if isinstance(one, RowRef) and isinstance(other, RowRef):
        pair = _of_one_kind(one, other)
        return FALSE if pair is None else Equal(*pair, wanted)
    if _is_instant(one) or _is_instant(other):
        return FALSE  # no member of an identity is an instant
    if isinstance(one, AuthRef):
        one, other = other, one
    if isinstance(one, AuthRef) and isinstance(other, AuthRef) and one.member.is_flag != other.member.is_flag:
        return constant(not wanted)  # text and a flag never match, and the flag is never null
    return Equal(one, other, wanted)


def _of_one_kind(one: RowRef, other: RowRef) -> tuple[RowRef, RowRef] | None:
    """The two as they compare; ``None`` when only one is an instant. A payload's value is read as one then."""
    if one.is_instant == other.is_instant:
        return one, other
    undeclared = other if one.is_instant else one
    if undeclared.root is not Root.INPUT:
        return None
    return replace(one, is_instant=True), replace(other, is_instant=True)


def _is_instant(ref: Ref) -> bool:
    return isinstance(ref, RowRef) and ref.is_instant


def _accepted(path: Path, ref: Ref, values: Iterable[Scalar]) -> Accepted:
    if not _is_instant(ref):
        return accepted_by(values)
    return Accepted(texts=tuple(sorted({_instant_literal(path, value) for value in values})))


def _instant_literal(path: Path, value: Scalar) -> str:
    found = instant(value)
    if found is None:
        raise PolicySyntaxError(
            f"{'.'.join(path.segments)} is a datetime and {value!r} is none; write one as '2026-05-02T22:22:53Z'",
            path.line,
            path.column,
        )
    return found


def _is_number(value: LiteralValue) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(op: Comparison, one: int | float, other: int | float) -> bool:
    match op:
        case Comparison.LT:
            return one < other
        case Comparison.LE:
            return one <= other
        case Comparison.GT:
            return one > other
        case _:
            return one >= other
