"""What the server answers is what an OpenAPI document of the app declares, for whatever schemathesis sends."""

import json
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

from pylon_core.manifest import parse_manifest
from tests.server.openapi import openapi_of
from tests.server.rig import Server, notes_app

EXAMPLES = int(os.environ.get("PYLON_FUZZ_EXAMPLES", "400")) // 20
DOCUMENT = openapi_of(parse_manifest(json.dumps(notes_app())))
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]  # type: ignore[union-attr]  # a broken document fails here
CONFORMANCE = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]


@pytest.fixture(scope="module")
def headers(shared: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {shared.guest()[0]}"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_answers_conform_to_their_declaration(shared: Server, headers: dict[str, str], operation: Any) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(case=operation.as_strategy())
    def conforms(case: Any) -> None:
        case.validate_response(case.call(base_url=shared.url, headers=headers), checks=CONFORMANCE)

    conforms()
