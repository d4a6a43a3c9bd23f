"""How policy values compare: the one place where the kinds null, boolean, number, string and instant meet.

Pure functions on JSON values. Arrays and objects read as null. Kinds are told apart by exact class, because
``True == 1`` in Python. A number equals a string when the string is its canonical decimal text, but only where
one side is a literal or an ``auth`` member: two fields of different kinds never match. A whole number and a
fraction compare as doubles, as databases do it. An instant is text in its one spelling (``pylon_core.datetimes``);
what is no instant stands in no relation to one.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pylon_core.datetimes import fixed_width, parse_instant

Scalar = str | int | float | bool
"""A value that is not null."""

NUMBERS = frozenset({int, float})
SCALARS = frozenset({str, bool, int, float})
"""The classes of values that are not null."""

Columns = Mapping[str, type]
"""The columns of a table, each with the class of its values: str, int, float, bool or datetime."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_NUMERAL = re.compile(r"-?[0-9][0-9.e+-]{0,30}")


def number_text(value: Any) -> str | None:
    """The canonical decimal text of a number; ``None`` for everything else.

    Whole numbers that no database holds and non-finite ones have none. There is one zero.
    """
    if value.__class__ is int:
        return str(value) if INT64_MIN <= value <= INT64_MAX else None
    if value.__class__ is float and math.isfinite(value):
        return repr(value + 0.0)
    return None


def numeral(text: str) -> int | float | None:
    """The number whose canonical decimal text this is, if any: ``5`` and ``5.0`` are two different ones."""
    if _NUMERAL.fullmatch(text) is None:
        return None
    number: int | float
    try:
        number = int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None
    return number if number_text(number) == text else None


def instant(value: Any) -> str | None:
    """The instant that a JSON value spells, in its one spelling; ``None`` when it spells none."""
    if value.__class__ is not str:
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


def storable(text: str) -> bool:
    """Whether a column can hold the text, and a database take it as a parameter."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def truthy(value: Any) -> bool:
    """A bare value read as a condition. Every number is true, zero too (contract 04 §3.4)."""
    kind = value.__class__
    if kind is bool or kind is str:
        return bool(value)
    return kind in NUMBERS


def numbers(one: Any, other: Any) -> tuple[Any, Any] | None:
    """Two row values as they compare when both are numbers: exactly when both are whole, else as doubles."""
    kinds = (one.__class__, other.__class__)
    if not NUMBERS.issuperset(kinds):
        return None
    return (one, other) if kinds[0] is kinds[1] else (_nearest_double(one), _nearest_double(other))


def _nearest_double(number: Any) -> float:
    """Infinite for a whole number beyond them all; only payloads have such."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def same(one: Any, other: Any) -> bool:
    """Two row values are both there, of one kind and equal."""
    if (pair := numbers(one, other)) is not None:
        return bool(pair[0] == pair[1])
    return one.__class__ is other.__class__ and one.__class__ in SCALARS and bool(one == other)


def differ(one: Any, other: Any) -> bool:
    """Two row values are known not to be equal: at least one is there, and they are not the same."""
    return (one.__class__ in SCALARS or other.__class__ in SCALARS) and not same(one, other)


def walk(value: Any, segments: tuple[str, ...]) -> Any:
    """The value at an object path; ``None`` when it leads nowhere. Arrays cannot be entered."""
    for segment in segments:
        if value.__class__ is not dict:
            return None
        value = value.get(segment)
    return value


@dataclass(frozen=True, slots=True)
class Accepted:
    """The values that equal at least one of some literals, by the class of the value; each tuple ascends.

    The literals a column of instants is compared with are ``texts``, in their one spelling.
    """

    texts: tuple[str, ...] = ()
    wholes: tuple[int, ...] = ()
    decimals: tuple[float, ...] = ()
    flags: tuple[bool, ...] = ()

    def of(self, kind: type) -> tuple[Any, ...]:
        """For a column of this class, as parameters: what it cannot hold is left out."""
        if kind is str:
            return tuple(filter(storable, self.texts))
        if kind is datetime:
            return tuple(map(fixed_width, self.texts))
        by_class: Mapping[type, tuple[Any, ...]] = {int: self.wholes, float: self.decimals, bool: self.flags}
        return by_class[kind]


def accepted_by(literals: Iterable[Scalar]) -> Accepted:
    texts: set[str] = set()
    wholes: set[int] = set()
    decimals: set[float] = set()
    flags: set[bool] = set()
    for literal in literals:
        if isinstance(literal, bool):
            flags.add(literal)
        elif isinstance(literal, str):
            texts.add(literal)
            number = numeral(literal)
            if isinstance(number, int):
                wholes.add(number)
            elif isinstance(number, float):
                decimals.add(number)
        else:
            text = number_text(literal)
            if text is not None:
                texts.add(text)
            decimals.add(float(literal))
            if literal == int(literal):
                wholes.add(int(literal))
    return Accepted(tuple(sorted(texts)), tuple(sorted(wholes)), tuple(sorted(decimals)), tuple(sorted(flags)))


def literals_equal(one: Scalar, other: Scalar) -> bool:
    accepted = accepted_by([other])
    return one in (accepted.texts if isinstance(one, str) else accepted.of(one.__class__))
