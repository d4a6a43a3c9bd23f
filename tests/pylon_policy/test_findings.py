"""What the engine tells an author about a manifest at load."""

import pytest

from pylon_core.diagnostics import Severity
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine

CLOSED = {"allow": "false"}


def findings(*policies: dict[str, str]) -> list[tuple[Severity, str, str]]:
    field = {"name": "ownerId", "type": "id(User)", "optional": True, "unique": False}
    document = {
        "manifest_version": 1,
        "name": "test",
        "version": "1",
        "entities": [{"name": "Note", "fields": [field], "indexes": []}],
        "routes": [],
        "policies": [{"name": "rule", **policy} for policy in policies],
    }
    engine = PolicyEngine(AppManifest.model_validate(document), default_allow=False)
    return [(found.severity, found.code, found.message) for found in engine.diagnostics]


def test_a_sound_manifest_has_none() -> None:
    assert findings({"entity": "Note", "allow": "data.ownerId == auth.userId || data.id == 'x'"}) == []


def test_a_syntax_error_names_policy_member_and_place() -> None:
    (found,) = findings({"entity": "Note", "allowRead": "true &&\n  data.ownerId = 1"} | CLOSED)

    assert found == (
        Severity.ERROR,
        "POLICY_SYNTAX_ERROR",
        "Policy rule, allowRead, line 2, column 16: a single = means nothing here; write ==.",
    )


def test_every_expression_is_parsed_even_those_that_decide_nothing() -> None:
    found = findings({"action": "publish", "allow": "true", "allowRead": "&&", "allowWrite": "&&"})

    assert [code for _, code, _ in found] == ["POLICY_SYNTAX_ERROR"] * 2


def test_an_expression_too_complex_to_compile_is_an_error_once() -> None:
    text = "true"
    for _ in range(25):
        text = f"({text}) == data.ownerId"

    assert [code for _, code, _ in findings({"entity": "Note", "allow": text})] == ["POLICY_SYNTAX_ERROR"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("data.ownr", "auth.userId == data.ownr"),
        ("data.ownerId.x", "data.ownerId.x == 'a'"),
        ("auth.email", "auth.email == 'a'"),
        ("draft", "data.ownerId == draft"),
        ("auth.hasRole", "(!auth.hasRole) in [true]"),
        ("data", "data"),
        ("existing.nope", "existing.nope == null"),
    ],
)
def test_a_path_that_is_always_null_is_a_warning(path: str, text: str) -> None:
    ((severity, code, message),) = findings({"entity": "Note", "allow": text})

    assert (severity, code) == (Severity.WARNING, "POLICY_PATH_UNKNOWN")
    assert f"column {text.index(path) + 1}: {path} is always null here" in message


def test_a_root_is_unknown_only_where_no_use_of_the_expression_has_it() -> None:
    assert findings({"entity": "Note", "allow": "existing.ownerId == 'a' || input.x == 'a'"}) == []

    read_only = findings({"entity": "Note", "allowRead": "existing.ownerId == 'a' || input.x == 'a'"} | CLOSED)
    assert [code for _, code, _ in read_only] == ["POLICY_PATH_UNKNOWN"] * 2


def test_an_action_reads_its_input_and_no_row() -> None:
    found = findings({"action": "publish", "allow": "input.anything.at.all == data.ownerId"})

    assert [message for _, _, message in found] == [
        "Policy rule, allow, line 1, column 26: data.ownerId is always null here."
    ]


def test_an_operation_left_open_is_a_warning() -> None:
    found = findings({"entity": "Note", "allowRead": "true", "allowInsert": "true", "allowUpdate": "true"})

    assert found == [
        (
            Severity.WARNING,
            "POLICY_OPERATION_OPEN",
            "Entity Note has policies, but none for delete, so everyone may.",
        )
    ]


def test_an_action_policy_without_allow_is_a_warning() -> None:
    ((severity, code, _),) = findings({"action": "publish", "allowRead": "true"})

    assert (severity, code) == (Severity.WARNING, "POLICY_ACTION_CLOSED")


def test_policies_about_unknown_entities_are_left_to_the_manifest_checks() -> None:
    assert findings({"entity": "Ghost", "allow": "true"}) == []
