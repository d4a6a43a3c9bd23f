"""Values of one field as they compare in memory, in the way the databases compare them. Pure.

Only what a store takes for a field arrives here: whether a value fits it, the store has decided. Rows hold
values in their declared JSON types; a datetime has its one spelling.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from pylon_core.datetimes import fixed_width, parse_instant
from pylon_core.manifest import EntityDef, FieldKind
from pylon_http.where import Scalar

Kinds = Mapping[str, FieldKind]
"""The kind of every field of an entity, its id among them."""


def kinds_of(entity: EntityDef) -> Kinds:
    return {"id": FieldKind.ID, **{field.name: field.kind or FieldKind.STRING for field in entity.fields}}


def operand(kind: FieldKind, value: Scalar) -> Any:
    """What a filter compares with, as a value that rows hold.

    A number for an integer stays as it is, whole or not and however large: Python compares the two exactly.
    """
    match kind:
        case FieldKind.DATETIME:
            return parse_instant(str(value))
        case FieldKind.FLOAT:
            return _nearest_double(value)
        case FieldKind.BOOL:
            return bool(value)
        case _:
            return value


def ordered(kind: FieldKind) -> Callable[[Any], Any]:
    """What turns a value that rows hold into one whose order in Python is that of the field."""
    return fixed_width if kind is FieldKind.DATETIME else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _nearest_double(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
