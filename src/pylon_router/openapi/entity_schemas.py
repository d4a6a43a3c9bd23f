"""The shapes of one entity: its rows, what makes and changes one, what selects some; without secret fields."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from pylon_core.manifest import EntityDef, FieldDef, FieldKind
from pylon_router.openapi.schema import (
    ANYTHING,
    BOOLEAN,
    DATE_TIME,
    INTEGER,
    JSON_OBJECT,
    STRING,
    YES,
    Schema,
    any_of,
    array,
    nullable,
    record,
    reference,
)

_TYPES: Mapping[FieldKind, Schema] = {
    FieldKind.INT: {"type": "integer", "format": "int64"},
    FieldKind.FLOAT: {"type": "number", "format": "double"},
    FieldKind.BOOL: BOOLEAN,
    FieldKind.DATETIME: DATE_TIME,
}
_COMPARISONS = ("$not", "$gt", "$gte", "$lt", "$lte")


_NODE: Schema = record({"id": STRING, "parent": nullable(STRING), "index": INTEGER, "meta": JSON_OBJECT})


def field_schema(field: FieldDef) -> Schema:
    schema = _TYPES.get(field.kind or FieldKind.STRING, STRING)
    if field.is_collection:
        schema = array(_NODE if field.crdt == "tree" else schema)
    elif field.id_target is not None:
        schema = {**schema, "description": f"The id of a row of {field.id_target}."}
    return nullable(schema) if field.optional else schema


class EntitySchemas(msgspec.Struct, frozen=True):
    """``component`` is the name under which the document keeps the row."""

    entity: EntityDef
    component: str
    secret: frozenset[str]

    @property
    def name(self) -> str:
        return self.entity.name

    @property
    def segment(self) -> str:
        """The entity in a path."""
        return quote(self.name, safe="")

    @property
    def shown(self) -> tuple[FieldDef, ...]:
        return tuple(field for field in self.entity.fields if field.name not in self.secret)

    @property
    def row(self) -> Schema:
        return reference(self.component)

    @property
    def rows(self) -> Schema:
        return array(self.row)

    def definition(self) -> Schema:
        members = self._members()
        return record(members, required=members)

    def new(self) -> Schema:
        members = {field.name: field_schema(field) for field in self.shown}
        return record(members, required=[field.name for field in self.shown if not field.optional])

    def patch(self) -> Schema:
        return record({field.name: field_schema(field) for field in self.shown})

    def updated(self) -> Schema:
        """The row wins when it has an ``updated`` of its own."""
        members = {"updated": YES, **self._members()}
        return any_of(record(members, required=members), record({"updated": YES, "id": STRING}, ("updated", "id")))

    def filter(self, *, options: bool = True) -> Schema:
        members = {field.name: _constraint(field) for field in self.shown}
        members |= {"id": ANYTHING, "$and": array(JSON_OBJECT), "$or": array(JSON_OBJECT), "$search": STRING}
        if options:
            members |= {"$limit": INTEGER, "$offset": INTEGER, "$order": JSON_OBJECT}
        return record(members)

    def _members(self) -> dict[str, Schema]:
        return {"id": STRING} | {field.name: field_schema(field) for field in self.shown}


def _constraint(field: FieldDef) -> Schema:
    if field.is_collection:
        return nullable(record({"$exists": BOOLEAN}))
    value = nullable(_TYPES.get(field.kind or FieldKind.STRING, STRING))
    operators: dict[str, Schema] = dict.fromkeys(_COMPARISONS, value)
    operators |= {"$in": array(value), "$like": STRING, "$exists": BOOLEAN}
    return any_of(value, record(operators))
