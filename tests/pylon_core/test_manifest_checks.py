"""What ``check_manifest`` finds, and that it finds all of it at once, in order (contract 02 §8.2, 12 §3).

A broken manifest must give exactly its codes, so a check that fires beside its target fails here too.
"""

import re

import pytest
from hypothesis import given

from pylon_core import jsontext, manifest_checks
from pylon_core.diagnostics import Diagnostic, Span, has_errors
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_core.manifest_checks import check_manifest
from tests.pylon_core.manifest_cases import CONTRACT_CASES, FURTHER_CASES, Case, with_entities, with_fields
from tests.strategies.documents import Document, app, entity, field, index, notes_app, policy, relation, route
from tests.strategies.manifests import manifests

CASES = CONTRACT_CASES + FURTHER_CASES
CASE_IDS = [f"{case.code}-{number}" for number, case in enumerate(CASES)]

CONTRACT_CODES = """
    MANIFEST_VERSION_UNSUPPORTED SCHEMA_EMPTY ENTITY_NAME_EMPTY ENTITY_DUPLICATE FIELD_NAME_EMPTY FIELD_DUPLICATE
    FIELD_TYPE_UNKNOWN FIELD_ID_TARGET_NOT_FOUND INDEX_NAME_EMPTY INDEX_NAME_DUPLICATE INDEX_FIELDS_EMPTY
    INDEX_FIELD_NOT_FOUND QUERY_NAME_EMPTY QUERY_DUPLICATE ACTION_NAME_EMPTY ACTION_DUPLICATE
    INPUT_FIELD_NAME_EMPTY INPUT_FIELD_DUPLICATE INPUT_FIELD_TYPE_UNKNOWN POLICY_NAME_EMPTY POLICY_DUPLICATE
    POLICY_ALLOW_EMPTY POLICY_NO_TARGET POLICY_ENTITY_NOT_FOUND POLICY_ACTION_NOT_FOUND ROUTE_PATH_EMPTY
    ROUTE_PATH_NO_SLASH ROUTE_PATH_DUPLICATE ROUTE_QUERY_NOT_FOUND ROUTE_PARAM_NOT_IN_QUERY ROUTE_AUTH_INVALID
"""


def findings(document: Document) -> list[Diagnostic]:
    return check_manifest(parse_manifest(jsontext.encode(document)))


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_a_broken_manifest_has_exactly_its_findings(case: Case) -> None:
    found = findings(case.broken)

    assert [(each.code, each.severity) for each in found] == [
        (code, case.severity) for code in (case.code, *case.also)
    ]


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_the_sound_manifest_beside_it_has_none(case: Case) -> None:
    assert findings(case.sound) == []


def test_every_code_of_the_contract_has_a_case() -> None:
    assert list(dict.fromkeys(case.code for case in CONTRACT_CASES)) == CONTRACT_CODES.split()


def test_the_package_documents_every_further_code_and_no_other() -> None:
    documented = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", manifest_checks.__doc__ or "")

    assert set(documented) == {case.code for case in FURTHER_CASES}


def test_the_complete_example_has_no_findings() -> None:
    assert findings(notes_app()) == []


def test_all_passes_accumulate_in_the_contracts_order() -> None:
    found = findings(
        {
            "manifest_version": 2,
            "name": "",
            "version": "",
            "entities": [
                entity("", fields=[field(""), field("a", "json")], indexes=[index("", ())]),
                entity("B", fields=[field("id"), field("o", "id(X)")], relations=[relation("r", "X", "o")]),
                entity("B"),
            ],
            "routes": [route("", auth="x"), route("a", query="x")],
            "queries": [{"name": "", "input": [field("")]}],
            "actions": [{"name": ""}],
            "policies": [{"name": ""}, policy(entity="X", action="X")],
        }
    )

    assert [each.code for each in found] == [
        "MANIFEST_VERSION_UNSUPPORTED",
        "ENTITY_NAME_EMPTY",
        "ENTITY_DUPLICATE",
        "FIELD_NAME_EMPTY",
        "FIELD_TYPE_UNKNOWN",
        "FIELD_ID_TARGET_NOT_FOUND",
        "INDEX_NAME_EMPTY",
        "INDEX_FIELDS_EMPTY",
        "QUERY_NAME_EMPTY",
        "ACTION_NAME_EMPTY",
        "INPUT_FIELD_NAME_EMPTY",
        "POLICY_NAME_EMPTY",
        "POLICY_ALLOW_EMPTY",
        "POLICY_NO_TARGET",
        "POLICY_ENTITY_NOT_FOUND",
        "POLICY_ACTION_NOT_FOUND",
        "ROUTE_PATH_EMPTY",
        "ROUTE_PATH_NO_SLASH",
        "ROUTE_QUERY_NOT_FOUND",
        "ROUTE_AUTH_INVALID",
        "FIELD_NAME_RESERVED",
        "RELATION_TARGET_NOT_FOUND",
    ]


def test_every_finding_says_which_file() -> None:
    manifest = parse_manifest(jsontext.encode(app(entities=[], manifest_version=2)))

    assert [found.span for found in check_manifest(manifest, "app.ts")] == [Span("app.ts")] * 2
    assert [found.span for found in check_manifest(manifest)] == [Span("pylon.manifest.json")] * 2


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        (
            with_fields(field("f", "id(Nte)")),
            'Note.f refers to entity "Nte", which is not declared.',
            'did you mean "Note"?',
        ),
        (with_fields(field("f", "id(Quite)")), 'Note.f refers to entity "Quite", which is not declared.', None),
        (
            with_fields(field("f", "json")),
            'Note.f has the unknown type "json".',
            "the types are string, int, float, bool, datetime, richtext, id(<Entity>)",
        ),
        (
            app(entities=[entity("A", indexes=[index("b")]), entity("A_b")]),
            (
                'The index "b" of entity "A" and the table of entity "A_b" '
                'would both be called "A_b" in the database.'
            ),
            "rename the index",
        ),
        (
            with_entities("A\x1b[2J"),
            r"Entity 'A\x1b[2J' holds a character that cannot be printed.",
            None,
        ),
    ],
    ids=["close name", "no close name", "type", "collision", "escape sequence stays escaped"],
)
def test_a_finding_names_the_place_and_the_way_out(document: Document, message: str, hint: str | None) -> None:
    [found] = findings(document)

    assert (found.message, found.hint) == (message, hint)


def test_only_errors_block() -> None:
    assert not has_errors(findings(app(routes=[route(mode="edge")])))
    assert has_errors(findings(app(routes=[route(mode="edge")], entities=[])))


@given(manifests())
def test_generated_manifests_have_no_errors(manifest: AppManifest) -> None:
    assert not has_errors(check_manifest(manifest))
