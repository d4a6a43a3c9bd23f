"""An OpenAPI document of an app's entity and sync routes, every answer declared, for schemathesis to test."""

from collections.abc import Iterable, Mapping
from typing import Any

from pylon_core.manifest import AppManifest, EntityDef, FieldKind
from pylon_sync.projection import secret_fields

Schema = dict[str, Any]

_JSON_TYPES = {FieldKind.INT: "integer", FieldKind.FLOAT: "number", FieldKind.BOOL: "boolean"}
_REFUSALS = (400, 403, 404, 405, 409, 410, 413, 414)


def openapi_of(manifest: AppManifest) -> Schema:
    paths: Schema = {}
    secrets = secret_fields(manifest)
    for entity in manifest.entities:
        paths |= _entity_paths(entity, secrets.get(entity.name, frozenset()))
    paths["/api/sync/pull"] = {
        "get": _operation({200: PULL}, parameters=[_parameter("since", "query", "integer")])
    }
    paths["/api/sync/push"] = {"post": _operation({200: PUSH}, body=_push_of(manifest))}
    return {"openapi": "3.1.0", "info": {"title": manifest.name, "version": manifest.version}, "paths": paths}


def _object(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    return {"type": "object", "required": list(required), "properties": dict(properties)}


def _whole(**properties: Schema) -> Schema:
    """An object that has all of these."""
    return _object(properties, properties)


STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
ARRAY: Schema = {"type": "array"}
YES: Schema = {"const": True}
NOTHING_ELSE: Schema = {"additionalProperties": False}
ERROR = NOTHING_ELSE | _whole(
    code=STRING, message={"type": "string", "minLength": 1}, error=_whole(code=STRING, message=STRING)
)
CURSOR = _whole(last_seq=NUMBER)
PULL = NOTHING_ELSE | _whole(changes=ARRAY, cursor=CURSOR, has_more={"type": "boolean"})
PUSH = NOTHING_ELSE | _whole(applied=NUMBER, deduped=NUMBER, errors=ARRAY, results=ARRAY, cursor=CURSOR)
DELETED = _whole(deleted=YES)
ID_ONLY = NOTHING_ELSE | _whole(id=STRING)
"""What is answered to a writer who may not read the row."""


def _entity_paths(entity: EntityDef, secret: frozenset[str]) -> Schema:
    fields: dict[str, Schema] = {
        field.name: {"type": [_JSON_TYPES.get(field.kind or FieldKind.STRING, "string"), "null"]}
        for field in entity.fields
        if field.name not in secret
    }
    row = NOTHING_ELSE | _whole(id=STRING, **fields)
    changed = NOTHING_ELSE | _whole(id=STRING, updated=YES, **fields)
    rows = ARRAY | {"items": row}
    window = _whole(data=rows, count=NUMBER, limit={"type": ["integer", "null"]}, offset=NUMBER)
    page = _whole(data=rows, has_more={"type": "boolean"}, next_cursor={"type": ["string", "null"]})
    limit, offset = (_parameter(name, "query", "integer") for name in ("limit", "offset"))
    everything = f"/api/entities/{entity.name}"
    return {
        everything: {
            "get": _operation({200: {"anyOf": [rows, window]}}, parameters=[limit, offset]),
            "post": _operation({201: {"anyOf": [row, ID_ONLY]}}, body=_object(fields)),
        },
        f"{everything}/cursor": {
            "get": _operation({200: page}, parameters=[limit, _parameter("after", "query", "string")])
        },
        f"{everything}/{{id}}": {
            "parameters": [_parameter("id", "path", "string") | {"required": True}],
            "get": _operation({200: row}),
            "patch": _operation({200: {"anyOf": [changed, ID_ONLY]}}, body=_object(fields)),
            "delete": _operation({200: DELETED}),
        },
        f"/api/query/{entity.name}": {"post": _operation({200: rows}, body=_filter_of(fields))},
    }


def _operation(answers: dict[int, Schema], **parts: Any) -> Schema:
    responses = {status: _content(ERROR) for status in _REFUSALS}
    responses |= {status: _content(answer) for status, answer in answers.items()}
    described: Schema = {"responses": {str(status): content for status, content in responses.items()}}
    if "parameters" in parts:
        described["parameters"] = parts["parameters"]
    if "body" in parts:
        described["requestBody"] = {"required": True} | _content(parts["body"])
    return described


def _content(schema: Schema) -> Schema:
    return {"description": "-", "content": {"application/json": {"schema": schema}}}


def _parameter(name: str, place: str, kind: str) -> Schema:
    return {"name": name, "in": place, "schema": {"type": kind}}


def _filter_of(fields: dict[str, Schema]) -> Schema:
    operators: dict[str, Schema] = {name: {} for name in ("$not", "$gt", "$gte", "$lt", "$lte")}
    operators |= {"$like": STRING, "$in": ARRAY}
    constraint: Schema = {"anyOf": [{}, NOTHING_ELSE | _object(operators)]}
    options: Schema = {"$limit": NUMBER, "$offset": NUMBER, "$order": {"type": "object"}}
    return _object(dict.fromkeys(fields, constraint) | options)


def _push_of(manifest: AppManifest) -> Schema:
    change = _object(
        {
            "entity": {"enum": [entity.name for entity in manifest.entities]},
            "row_id": STRING,
            "kind": {"enum": ["insert", "update", "delete"]},
            "data": {"type": "object"},
            "op_id": STRING,
        },
        ("entity", "row_id", "kind"),
    )
    return _whole(changes=ARRAY | {"items": change})
