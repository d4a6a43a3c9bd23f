"""A formula as a Python predicate, compiled once to byte code: it runs per request, per row and per live event.

The source handed to ``compile`` is safe by construction: it consists of the fixed text in this module, of path
segments and literals as ``repr`` writes them (an escaped literal, whatever it holds), and of the attribute names
in ``AuthMember``. No expression text reaches it, and the names it can see are the few in ``_NAMES``: no builtins.
Predicates are pure; any thread may call them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, assert_never

from pylon_policy.auth import PolicyAuth
from pylon_policy.expression import Comparison
from pylon_policy.formula import (
    AllOf,
    AnyOf,
    Atom,
    AuthRef,
    Constant,
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
)
from pylon_policy.values import NUMBERS, SCALARS, differ, instant, number_text, numbers, same, truthy, walk

Values = Mapping[str, Any]
"""A row or a payload, by member name."""

NOTHING: Values = {}
"""Stands for a root that is not there: every path under it is null."""


class Predicate(Protocol):
    def __call__(
        self, auth: PolicyAuth, data: Values, existing: Values = NOTHING, payload: Values = NOTHING, /
    ) -> bool: ...


class RowPredicate(Protocol):
    """A predicate whose identity is settled."""

    def __call__(self, row: Values, /) -> bool: ...


class Facts(Protocol):
    """Which of some atoms hold for an identity."""

    def __call__(self, auth: PolicyAuth, /) -> tuple[bool, ...]: ...


_NAMES = {
    "__builtins__": {},
    "NOTHING": NOTHING,
    "NUMBERS": NUMBERS,
    "SCALARS": SCALARS,
    "differ": differ,
    "float": float,
    "instant": instant,
    "int": int,
    "number_text": number_text,
    "numbers": numbers,
    "same": same,
    "str": str,
    "truthy": truthy,
    "walk": walk,
}
_PARAMETERS = {Root.DATA: "data", Root.EXISTING: "existing", Root.INPUT: "payload"}


def compile_predicate(formula: Formula) -> Predicate:
    parameters = "auth, data, existing=NOTHING, payload=NOTHING"
    predicate: Predicate = _evaluated(f"lambda {parameters}: {_source(formula)}")
    return predicate


def compile_facts(atoms: Iterable[Atom]) -> Facts:
    """Answers atoms that mention no row."""
    answers = "".join(f"{_atom(atom)}, " for atom in atoms)
    facts: Facts = _evaluated(f"lambda auth: ({answers})")
    return facts


def _evaluated(source: str) -> Any:
    return eval(compile(source, "<policy>", "eval"), dict(_NAMES))


def _source(formula: Formula) -> str:
    match formula:
        case Constant(value):
            return repr(value)
        case AllOf(terms):
            return "(" + " and ".join(_source(term) for term in terms) + ")"
        case AnyOf(terms):
            return "(" + " or ".join(_source(term) for term in terms) + ")"
        case _:
            return _atom(formula)


def _atom(atom: Atom) -> str:
    """An expression that gives a real boolean. ``a`` and ``b`` are scratch names."""
    match atom:
        case HasRole(roles, wanted):
            call = f"auth.has_role({roles[0]!r})" if len(roles) == 1 else f"auth.has_any_role({roles!r})"
            return call if wanted else f"(not {call})"
        case Truthy(AuthRef() as ref, wanted):
            return f"(not not {_read(ref)})" if wanted else f"(not {_read(ref)})"
        case Truthy(ref, wanted):
            return f"truthy({_read(ref)})" if wanted else f"(not truthy({_read(ref)}))"
        case IsNull(ref, wanted):
            return f"({_read(ref)}.__class__ {'not in' if wanted else 'in'} SCALARS)"
        case OneOf():
            test = _one_of(atom)
            return test if atom.wanted else f"(not {test})"
        case Equal(left, AuthRef() as right, wanted):
            return _equals_auth(left, right, wanted=wanted)
        case Equal(left, right, wanted):
            return f"{'same' if wanted else 'differ'}({_read(left)}, {_read(right)})"
        case Order(op, RowRef(is_instant=True) as left, right):
            return _instants_ordered(op, left, right)
        case Order(op, left, RowRef() as right):
            return f"((a := numbers({_read(left)}, {_read(right)})) is not None and a[0] {op} a[1])"
        case Order(op, left, right):
            return f"((a := {_read(left)}).__class__ in NUMBERS and a {op} {right!r})"
    assert_never(atom)


def _read(ref: Ref) -> str:
    if isinstance(ref, AuthRef):
        return f"auth.{ref.member}"
    first, *rest = ref.segments
    value = f"{_PARAMETERS[ref.root]}.get({first!r})"
    if rest:
        value = f"walk({value}, {tuple(rest)!r})"
    return f"instant({value})" if ref.is_instant else value


def _instants_ordered(op: Comparison, left: RowRef, right: RowRef | int | float | str) -> str:
    """Without its ``Z`` the one spelling of an instant sorts as text: a fraction only ever makes it longer."""
    there = f"(a := {_read(left)}) is not None"
    if isinstance(right, RowRef):
        return f"({there} and (b := {_read(right)}) is not None and a[:-1] {op} b[:-1])"
    return f"({there} and a[:-1] {op} {str(right)[:-1]!r})"


def _one_of(atom: OneOf) -> str:
    """One test per class of value: a plain ``in`` would take ``True`` for 1 and choke on an object."""
    accepted = atom.accepted
    tests = _text_tests(accepted.texts)
    tests += [f" is {flag!r}" for flag in accepted.flags]
    tests += _class_tests("int", accepted.wholes)
    tests += _class_tests("float", accepted.decimals)
    first, *rest = tests
    return "(" + " or ".join([f"(a := {_read(atom.ref)}){first}", *(f"a{test}" for test in rest)]) + ")"


def _text_tests(texts: Sequence[str]) -> list[str]:
    # Only a string equals a string, so a lone text, the usual case, needs no look at the class.
    return [f" == {texts[0]!r}"] if len(texts) == 1 else _class_tests("str", texts)


def _class_tests(kind: str, values: Sequence[object]) -> list[str]:
    if not values:
        return []
    return [f".__class__ is {kind} and a in {{{', '.join(map(repr, values))}}}"]


def _equals_auth(left: Ref, right: AuthRef, *, wanted: bool) -> str:
    if right.member.is_flag:
        return f"({_read(left)} {'is' if wanted else 'is not'} {_read(right)})"
    if isinstance(left, AuthRef):
        if wanted:
            return f"((b := {_read(right)}) is not None and {_read(left)} == b)"
        return f"({_read(left)} != {_read(right)})"
    there = f"(b := {_read(right)}) is not None"
    matches = f"((a := {_read(left)}) == b or a.__class__ is not str and number_text(a) == b)"
    if wanted:
        return f"({there} and {matches})"
    return f"(not {matches} if {there} else {_read(left)}.__class__ in SCALARS)"
