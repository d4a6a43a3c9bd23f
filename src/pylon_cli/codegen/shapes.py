"""What a value may be, whoever declared it: a field of the manifest or the validator of a function. Pure.

Each language has one function that turns a shape into a type.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pylon_core.manifest import FieldDef, FieldKind


class Scalar(enum.Enum):
    TEXT = enum.auto()
    INTEGER = enum.auto()
    NUMBER = enum.auto()
    BOOLEAN = enum.auto()
    NULL = enum.auto()
    ANY = enum.auto()


@dataclass(frozen=True)
class Array:
    items: "Shape"


@dataclass(frozen=True)
class Object:
    members: "tuple[Member, ...]"


@dataclass(frozen=True)
class Record:
    """Any names, with values of one shape."""

    values: "Shape"


@dataclass(frozen=True)
class Union:
    """One of several; of none for a validator that accepts nothing. Made by ``one_of``."""

    variants: "tuple[Shape, ...]"


@dataclass(frozen=True)
class Literal:
    value: str | int | float | bool


Shape = Scalar | Array | Object | Record | Union | Literal


@dataclass(frozen=True)
class Member:
    """A named value. One that is ``optional`` may be left out; whether it may be null is up to its shape."""

    name: str
    shape: Shape
    optional: bool


def one_of(variants: Iterable[Shape]) -> Shape:
    """The variants, each once, unions among them spread out."""
    leaves = {repr(leaf): leaf for variant in variants for leaf in _leaves(variant)}  # by repr: 1 is not true
    flat = tuple(leaves.values())
    if Scalar.ANY in flat:
        return Scalar.ANY
    return flat[0] if len(flat) == 1 else Union(flat)


def _leaves(shape: Shape) -> tuple[Shape, ...]:
    return shape.variants if isinstance(shape, Union) else (shape,)


def or_null(shape: Shape) -> Shape:
    return one_of((shape, Scalar.NULL))


def without_null(shape: Shape) -> tuple[Shape, bool]:
    """The shape of what is there, and whether nothing may be."""
    if isinstance(shape, Union) and Scalar.NULL in shape.variants:
        return one_of(variant for variant in shape.variants if variant is not Scalar.NULL), True
    return shape, False


_OF_KIND: Mapping[FieldKind | None, Shape] = {
    FieldKind.STRING: Scalar.TEXT,
    FieldKind.DATETIME: Scalar.TEXT,
    FieldKind.RICHTEXT: Scalar.TEXT,
    FieldKind.ID: Scalar.TEXT,
    FieldKind.INT: Scalar.INTEGER,
    FieldKind.FLOAT: Scalar.NUMBER,
    FieldKind.BOOL: Scalar.BOOLEAN,
}
_TREE_NODE = Object(
    (
        Member("id", Scalar.TEXT, optional=False),
        Member("parent", or_null(Scalar.TEXT), optional=False),
        Member("index", Scalar.INTEGER, optional=False),
        Member("meta", Scalar.ANY, optional=False),
    )
)


def field_member(field: FieldDef) -> Member:
    """A field of an entity or an input: one that is optional may be null as well."""
    shape = _OF_KIND.get(field.kind, Scalar.ANY)
    if field.is_collection:
        shape = Array(_TREE_NODE if field.crdt == "tree" else shape)
    return Member(field.name, or_null(shape) if field.optional else shape, field.optional)


def argument_members(schemas: Mapping[str, Any]) -> tuple[Member, ...]:
    """The arguments of a function (contract 07 §7): one that is optional may be null as well."""
    return tuple(
        Member(member.name, or_null(member.shape) if member.optional else member.shape, member.optional)
        for member in _members(schemas)
    )


def returned_shape(schema: Mapping[str, Any]) -> Shape:
    """What a function says that it returns."""
    return _accepted(schema)


_SCALARS: Mapping[str, Scalar] = {
    "string": Scalar.TEXT,
    "id": Scalar.TEXT,
    "number": Scalar.NUMBER,
    "int": Scalar.INTEGER,
    "boolean": Scalar.BOOLEAN,
    "null": Scalar.NULL,
}


def _members(schemas: Mapping[str, Any]) -> tuple[Member, ...]:
    return tuple(
        Member(name, _accepted(schema), isinstance(schema, dict) and schema.get("optional") is True)
        for name, schema in schemas.items()
    )


def _accepted(schema: Any) -> Shape:
    """What a validator accepts. Authors may have written it by hand: what nobody understands is anything."""
    match schema:
        case {"type": "array", "items": items}:
            return Array(_accepted(items))
        case {"type": "object", "fields": dict(fields)}:
            return Object(_members(fields))
        case {"type": "record", "values": values}:
            return Record(_accepted(values))
        case {"type": "union", "variants": list(variants)}:
            return one_of(map(_accepted, variants))
        case {"type": "literal", "value": None}:
            return Scalar.NULL
        case {"type": "literal", "value": str() | int() | float() | bool() as value}:
            return Literal(value)
        case {"type": str(name)}:
            return _SCALARS.get(name, Scalar.ANY)
    return Scalar.ANY
