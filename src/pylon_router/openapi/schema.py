"""JSON schemas in the dialect of OpenAPI 3.0: constructors that read like the values they describe."""

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]

ANYTHING: Schema = {}
STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
DATE_TIME: Schema = {"type": "string", "format": "date-time"}
BINARY: Schema = {"type": "string", "format": "binary"}
JSON_OBJECT: Schema = {"type": "object"}
YES: Schema = {"type": "boolean", "enum": [True]}
NO: Schema = {"type": "boolean", "enum": [False]}


def nullable(schema: Schema) -> Schema:
    return {**schema, "nullable": True}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def one_of(*names: str) -> Schema:
    return {"type": "string", "enum": list(names)}


def any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def whole(**members: Schema) -> Schema:
    """An object with exactly these members."""
    return record(members, required=members)


def record(members: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """An object with no other members than these."""
    return partial_record(members, required) | {"additionalProperties": False}


def partial_record(members: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """An object that may have further members."""
    schema: Schema = {"type": "object", "properties": dict(members)}
    names = list(required)
    return schema | {"required": names} if names else schema


def map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
