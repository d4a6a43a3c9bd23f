"""What a value may be, read from fields and from validators."""

from typing import Any

import pytest

from pylon_cli.codegen.shapes import (
    Array,
    Literal,
    Member,
    Object,
    Record,
    Scalar,
    Shape,
    Union,
    argument_members,
    field_member,
    one_of,
)
from pylon_core.manifest import FieldDef

TEXT, NUMBER, NULL, ANY = Scalar.TEXT, Scalar.NUMBER, Scalar.NULL, Scalar.ANY

VALIDATORS: list[tuple[Any, Shape]] = [
    ({"type": "string"}, TEXT),
    ({"type": "id", "table": "User"}, TEXT),
    ({"type": "number"}, NUMBER),
    ({"type": "int"}, Scalar.INTEGER),
    ({"type": "boolean"}, Scalar.BOOLEAN),
    ({"type": "null"}, NULL),
    ({"type": "any"}, ANY),
    ({"type": "array", "items": {"type": "int"}}, Array(Scalar.INTEGER)),
    ({"type": "array"}, ANY),
    ({"type": "object", "fields": {"a": {"type": "int"}}}, Object((Member("a", Scalar.INTEGER, optional=False),))),
    ({"type": "record", "values": {"type": "int"}}, Record(Scalar.INTEGER)),
    ({"type": "record"}, ANY),
    ({"type": "union", "variants": [{"type": "string"}, {"type": "null"}]}, Union((TEXT, NULL))),
    ({"type": "union", "variants": [{"type": "string"}, {"type": "id"}]}, TEXT),
    ({"type": "union", "variants": [{"type": "string"}, {"type": "any"}]}, ANY),
    ({"type": "union", "variants": []}, Union(())),
    ({"type": "literal", "value": "a"}, Literal("a")),
    ({"type": "literal", "value": None}, NULL),
    ({"type": "not yet invented"}, ANY),
    ({}, ANY),
    ("string", ANY),
    (None, ANY),
]


@pytest.mark.parametrize(("validator", "shape"), VALIDATORS, ids=str)
def test_a_validator_has_the_shape_of_what_it_accepts(validator: Any, shape: Shape) -> None:
    assert argument_members({"a": validator}) == (Member("a", shape, optional=False),)


def test_an_optional_argument_may_be_null_but_not_an_optional_member_of_one() -> None:
    optional = {"type": "string", "optional": True}

    (argument,) = argument_members({"a": {"type": "object", "fields": {"b": optional}, "optional": True}})

    assert argument == Member("a", Union((Object((Member("b", TEXT, optional=True),)), NULL)), optional=True)


def test_true_is_not_one() -> None:
    assert one_of([Literal(1), Literal(True), Literal(1.0), Literal(1)]) == Union(
        (Literal(1), Literal(True), Literal(1.0))
    )


FIELDS: list[tuple[dict[str, Any], Shape]] = [
    ({"type": "datetime"}, TEXT),
    ({"type": "float", "optional": True}, Union((NUMBER, NULL))),
    ({"type": "blob"}, ANY),
    ({"type": "blob", "optional": True}, ANY),
    ({"type": "int", "crdt": "counter"}, Scalar.INTEGER),
    ({"type": "int", "crdt": "movable-list"}, Array(Scalar.INTEGER)),
]


@pytest.mark.parametrize(("declared", "shape"), FIELDS, ids=str)
def test_a_field_has_the_shape_of_its_values(declared: dict[str, Any], shape: Shape) -> None:
    field = FieldDef.model_validate({"name": "a", "optional": False, "unique": False, **declared})

    assert field_member(field) == Member("a", shape, optional=field.optional)
