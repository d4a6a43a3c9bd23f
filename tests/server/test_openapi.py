"""What the server answers is what the document it serves declares, for whatever schemathesis sends."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_router.openapi import openapi_document
from tests.server.rig import ADMIN_TOKEN, Server, notes_app, optional, returning, rules, serving, write_app
from tests.strategies.documents import entity, field, relation

EXAMPLES = int(os.environ.get("PYLON_FUZZ_EXAMPLES", "400")) // 50
APP = notes_app(
    entities=[
        entity(
            "Note",
            fields=[
                field(),
                optional("ownerId", "id(User)"),
                optional("rank", "int"),
                optional("score", "float"),
                optional("done", "bool"),
                optional("due", "datetime"),
            ],
            relations=[relation("owner", "User", "ownerId")],
            search={"text": ["title"], "facets": ["done"], "sortable": ["rank"]},
        ),
        entity(
            "User", fields=[field("email", unique=True), optional("passwordHash"), optional("phone")], crdt=False
        ),
    ],
    actions=[{"name": "close", "input": [field("note", "id(Note)"), optional("reason")]}],
    policies=[rules("Note", allow="auth.userId != null"), rules("User", allowRead="auth.userId != null")],
)
OPERATIONS = [
    found.ok()  # type: ignore[union-attr]  # a broken document fails here
    for found in schemathesis.openapi.from_dict(
        openapi_document(parse_manifest(jsontext.encode(APP)))
    ).get_all_operations()
]
CONFORMANCE: list[Any] = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), APP, {"ping": returning("pong")})
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as server:
        server.await_functions()
        yield server
        assert "request_failed" not in server.log_text()


@pytest.fixture(scope="module")
def tokens(described: Server) -> dict[str, str]:
    return {"a guest": described.guest()[0], "the administrator": ADMIN_TOKEN}


def test_the_document_is_served(described: Server) -> None:
    assert described.request("GET", "/api/openapi.json") == (
        200,
        openapi_document(parse_manifest(jsontext.encode(APP))),
    )


@pytest.mark.parametrize("who", ["a guest", "the administrator"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_answers_conform_to_their_declaration(
    described: Server, tokens: dict[str, str], who: str, operation: Any
) -> None:
    headers = {"Authorization": f"Bearer {tokens[who]}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(case=operation.as_strategy())
    def conforms(case: Any) -> None:
        case.validate_response(case.call(base_url=described.url, headers=headers), checks=CONFORMANCE)

    conforms()


NOTE = {"entity": "Note", "data": {"title": "Tea"}}
REF = {"entity": "Note", "id": "n1"}
SUCCESSES: list[tuple[str, dict[str, str], Any]] = [
    ("POST /api/entities/Note", {}, {"title": "Tea", "due": "2026-05-02T22:22:53Z", "score": 1.5, "rank": 3}),
    ("GET /api/entities/Note", {}, None),
    ("GET /api/entities/Note/{id}", {"id": "n1"}, None),
    ("PATCH /api/entities/Note/{id}", {"id": "n1"}, {"title": "Coffee", "done": True}),
    ("POST /api/query/Note", {}, {"done": True}),
    ("POST /api/query", {}, {"Note": {"include": {"owner": {}}}}),
    ("GET /api/lookup/Note/{field}/{value}", {"field": "title", "value": "Coffee"}, None),
    ("POST /api/aggregate/Note", {}, {"count": "*", "sum": ["rank"], "groupBy": ["done"]}),
    ("POST /api/search/Note", {}, {"query": "coffee"}),
    ("POST /api/link", {}, {**REF, "relation": "owner", "target_id": "u1"}),
    ("POST /api/unlink", {}, {**REF, "relation": "owner"}),
    ("POST /api/actions/close", {}, {"note": "n1"}),
    ("POST /api/sync/push", {}, {"changes": [{**REF, "row_id": "n1", "kind": "update", "data": {"rank": 1}}]}),
    ("GET /api/sync/pull", {}, None),
    ("POST /api/fn/{name}", {"name": "ping"}, {}),
    ("GET /api/fn", {}, None),
    ("POST /api/batch", {}, {"operations": [{"op": "insert", **NOTE}, {"op": "delete", **REF, "id": "x"}]}),
    ("POST /api/transact", {}, [{"op": "insert", **NOTE}, {"op": "update", **REF, "data": {"rank": 2}}]),
    ("POST /api/import", {}, {"entities": {"Note": [{"id": "n2", "title": "x"}, {"id": "n1", "title": "twice"}]}}),
    ("GET /api/export", {}, None),
    ("GET /api/export/Note", {}, None),
    ("GET /api/admin/auth/{table}", {"table": "sessions"}, None),
    ("GET /api/admin/ops/{table}", {"table": "search_indexes"}, None),
    ("POST /api/admin/users/{id}/export", {"id": "u1"}, None),
    ("DELETE /api/admin/users/{id}/purge", {"id": "u1"}, None),
    ("DELETE /api/entities/Note/{id}", {"id": "n1"}, None),
]


def test_what_succeeds_conforms_too(described: Server) -> None:
    """In this order: what the first ones make the later ones use."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    rows = {"Note": [{"id": "n1", "title": "one", "ownerId": "u1"}], "User": [{"id": "u1", "email": "ann@x"}]}
    assert described.request("POST", "/api/import", {"entities": rows}, token=ADMIN_TOKEN)[1]["failed"] == 0
    by_label = {operation.label: operation for operation in OPERATIONS}

    for label, path, body in SUCCESSES:
        sent = {} if body is None else {"body": body, "media_type": "application/json"}
        case = by_label[label].Case(path_parameters=path, headers=headers, **sent)
        response = case.call(base_url=described.url)
        assert response.status_code in (200, 201), (label, response.text)
        case.validate_response(response, checks=CONFORMANCE)
