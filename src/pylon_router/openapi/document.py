"""Everything together: paths, components, what the document says of itself."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from pylon_core.manifest import ActionDef, AppManifest
from pylon_core.secret_fields import secret_fields
from pylon_router.openapi.admin_operations import admin_operations
from pylon_router.openapi.app_operations import app_operations
from pylon_router.openapi.entity_operations import ENTITY_OPERATIONS
from pylon_router.openapi.entity_schemas import EntitySchemas, field_schema
from pylon_router.openapi.job_operations import job_operations
from pylon_router.openapi.operation import ERROR, ERROR_SCHEMA, REFUSAL_RESPONSE, Operation
from pylon_router.openapi.schema import JSON_OBJECT, STRING, YES, Schema, partial_record, reference, whole
from pylon_router.openapi.workflow_operations import workflow_operations

VERSION = "3.0.3"

_PLACEHOLDER = re.compile(r"<(\w+)(?:\.\.\.)?>")
_NOT_IN_COMPONENT_NAMES = re.compile(r"[^A-Za-z0-9._-]")
_ACTION = "/api/actions/<name>"


def openapi_document(manifest: AppManifest) -> dict[str, Any]:
    components: dict[str, Schema] = {ERROR: ERROR_SCHEMA}
    paths: dict[str, dict[str, Schema]] = {}
    for method, pattern, operation in _operations(manifest, components):
        path = _PLACEHOLDER.sub(r"{\1}", pattern)
        names = _PLACEHOLDER.findall(pattern)
        paths.setdefault(path, {})[method.lower()] = operation.to_wire(names)
    return {
        "openapi": VERSION,
        "info": {"title": manifest.name, "version": manifest.version},
        "servers": [{"url": ""}],
        "security": [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {ERROR: REFUSAL_RESPONSE},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operations(manifest: AppManifest, components: dict[str, Schema]) -> Iterator[tuple[str, str, Operation]]:
    """Method, pattern and description; entities and actions are named in the pattern, and their shapes put into
    ``components``."""
    fixed = {**app_operations(manifest), **job_operations(), **workflow_operations()}
    for (method, pattern), operation in fixed.items():
        yield method, pattern, operation
    secrets = secret_fields(manifest)
    for entity in manifest.entities:
        component = _free_name(entity.name, components)
        shapes = EntitySchemas(entity, component, secrets.get(entity.name, frozenset()))
        components[component] = shapes.definition()
        for (method, pattern), describe in ENTITY_OPERATIONS.items():
            yield method, pattern.replace("<entity>", shapes.segment), describe(shapes)
    for action in manifest.actions:
        component = _free_name(f"{action.name}Input", components)
        components[component] = _input(action)
        yield "POST", _ACTION.replace("<name>", quote(action.name, safe="")), _action(action, component)
    for (method, pattern), operation in admin_operations(manifest).items():
        yield method, pattern, operation


def _action(action: ActionDef, component: str) -> Operation:
    return Operation(
        summary=f"Check the input of {action.name}, and whether the caller may.",
        tag="actions",
        body=reference(component),
        answers={200: whole(action=STRING, executed=YES, input=JSON_OBJECT)},
    )


def _input(action: ActionDef) -> Schema:
    members = {field.name: field_schema(field) for field in action.input}
    return partial_record(members, required=[field.name for field in action.input if not field.optional])


def _free_name(name: str, taken: dict[str, Schema]) -> str:
    """A name that the specification allows for a component, and that nothing has yet."""
    free = clean = _NOT_IN_COMPONENT_NAMES.sub("_", name)
    number = 2
    while free in taken:
        free, number = f"{clean}_{number}", number + 1
    return free
