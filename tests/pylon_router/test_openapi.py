"""``/api/openapi.json``: every route of the app under its real names, and nothing that is not for everybody."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from schemathesis.specs.openapi import definitions

from pylon_router import ROUTES
from pylon_router.table import ANY_METHOD, Route
from tests.strategies.documents import app, entity, field
from tests.support.data_api import NOTES, DataApi, optional

ACTION = {"name": "close", "input": [field("note", "id(Note)"), optional("reason")]}


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi({**NOTES, "actions": [ACTION]})
    yield opened
    opened.store.close()


def document_of(api: DataApi, who: str = "anonymous") -> Any:
    answer = api.send("GET", "/api/openapi.json", who)
    assert answer.status == 200
    return answer.json


def paths_of(route: Route, api: DataApi) -> list[str]:
    pattern = re.sub(r"<(\w+)\.\.\.>", r"<\1>", route.pattern)
    if pattern == "/api/actions/<name>":
        return [f"/api/actions/{action.name}" for action in api.manifest.actions]
    named = [pattern.replace("<entity>", entity.name) for entity in api.manifest.entities]
    return [re.sub(r"<(\w+)>", r"{\1}", path) for path in set(named)]


def served(api: DataApi) -> set[tuple[str, str]]:
    """The second spelling of the entity routes and rows that only refuse aside."""
    return {
        (route.method.lower(), path)
        for route in ROUTES
        if route.method != ANY_METHOD and not route.pattern.startswith("/api/entity/")
        for path in paths_of(route, api)
    }


def test_every_route_is_in_the_document_and_no_other(api: DataApi) -> None:
    paths = document_of(api)["paths"]

    documented = {(method, path) for path, methods in paths.items() for method in methods}
    assert documented == served(api) | {("get", "/health")}
    assert len(paths) > 10


@pytest.mark.parametrize(
    "document",
    [
        NOTES,
        {**NOTES, "actions": [ACTION]},
        app(entities=[entity("Größe {1}/x"), entity("a b"), entity("Error"), entity("a-b")]),
    ],
    ids=["notes", "an action", "odd names"],
)
def test_it_is_openapi_3_0_3(document: Any) -> None:
    api = DataApi(document)
    described = document_of(api)
    api.store.close()

    assert described["openapi"] == "3.0.3"
    errors = [error.message for error in definitions.OPENAPI_30_VALIDATOR.iter_errors(described)]
    assert errors == []
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described))) <= set(
        described["components"]["schemas"]
    )


def test_paths_have_the_real_names_encoded() -> None:
    api = DataApi(app(entities=[entity("Größe {1}/x")]))
    paths = document_of(api)["paths"]
    api.store.close()

    assert "/api/entities/Gr%C3%B6%C3%9Fe%20%7B1%7D%2Fx/{id}" in paths


def test_anyone_may_read_it_and_everyone_reads_the_same(api: DataApi) -> None:
    assert document_of(api, "anonymous") == document_of(api, "alice") == document_of(api, "admin")


def test_it_tells_nothing_of_rules_and_secret_fields(api: DataApi) -> None:
    text = json.dumps(document_of(api))

    for hidden in ("passwordHash", "_flags", "phone", "ownerId ==", "auth.", "_rules"):
        assert hidden not in text


def test_a_row_has_its_declared_types(api: DataApi) -> None:
    schemas = document_of(api)["components"]["schemas"]

    assert schemas["Note"] == {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "ownerId": {"type": "string", "nullable": True},
            "title": {"type": "string"},
            "done": {"type": "boolean", "nullable": True},
            "rank": {"type": "integer", "format": "int64", "nullable": True},
            "slug": {"type": "string", "nullable": True},
        },
        "required": ["id", "ownerId", "title", "done", "rank", "slug"],
        "additionalProperties": False,
    }
    assert schemas["closeInput"]["required"] == ["note"]
    assert schemas["closeInput"]["properties"]["note"]["description"] == "The id of a row of Note."


def test_only_the_administrators_routes_demand_a_token(api: DataApi) -> None:
    document = document_of(api)

    closed = {
        path.removesuffix("/{table}")
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if operation.get("security") == [{"bearer": []}]
    }
    exports = {f"/api/export/{entity.name}" for entity in api.manifest.entities}
    assert closed - exports == {
        *("/api/batch", "/api/transact", "/api/export", "/api/import", "/api/fn", "/api/fn/traces"),
        *("/api/admin/users/{id}/export", "/api/admin/users/{id}/purge"),
        *("/api/admin/auth", "/api/admin/ops"),
        *("/api/jobs", "/api/jobs/stats", "/api/jobs/dead", "/api/jobs/{id}"),
        *("/api/jobs/dead/{id}/retry", "/api/jobs/{id}/cancel"),
        *("/api/scheduler", "/api/scheduler/trigger/{name}"),
        *("/api/workflows", "/api/workflows/definitions", "/api/workflows/start", "/api/workflows/{id}"),
        *("/api/workflows/{id}/advance", "/api/workflows/{id}/event", "/api/workflows/{id}/cancel"),
    }
    assert document["security"] == [{}, {"bearer": []}]


def test_it_is_made_once(api: DataApi) -> None:
    assert api.ctx.openapi is api.ctx.openapi
