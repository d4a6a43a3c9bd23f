"""A document that is no manifest gives one diagnostic its author can act on, never a crash (contract 02 §8.1)."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_core import jsontext
from pylon_core.diagnostics import Severity, Span
from pylon_core.errors import PylonError
from pylon_core.manifest import ManifestError, parse_manifest
from tests.strategies.documents import app, entity, field, notes_app, policy, route


def refusal(text: bytes | str, file: str = "app.json") -> ManifestError:
    with pytest.raises(ManifestError) as refused:
        parse_manifest(text, file)
    return refused.value


def without(document: dict[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != member}


SHAPES: dict[str, tuple[Any, str]] = {
    "missing version": (without(app(), "manifest_version"), "manifest_version is missing."),
    "missing name": (without(app(), "name"), "name is missing."),
    "missing app version": (without(app(), "version"), "version is missing."),
    "missing entities": (without(app(), "entities"), "entities is missing."),
    "missing routes": (without(app(), "routes"), "routes is missing."),
    "missing unique": (
        app(entities=[entity(fields=[field(), field("a"), without(field(), "unique")])]),
        "entities[0].fields[2].unique is missing.",
    ),
    "missing optional": (
        app(entities=[entity(fields=[without(field(), "optional")])]),
        "entities[0].fields[0].optional is missing.",
    ),
    "missing indexes": (app(entities=[without(entity(), "indexes")]), "entities[0].indexes is missing."),
    "missing mode": (app(routes=[without(route(), "mode")]), "routes[0].mode is missing."),
    "missing policy name": (app(policies=[without(policy(), "name")]), "policies[0].name is missing."),
    "unknown crdt": (
        app(entities=[entity(fields=[field(crdt="txt")])]),
        "entities[0].fields[0].crdt must be 'lww', 'text', 'counter', 'list', 'movable-list' or 'tree'.",
    ),
    "flag as text": (
        app(entities=[entity(fields=[field(optional="false")])]),
        "entities[0].fields[0].optional must be true or false, not a string.",
    ),
    "flag as number": (
        app(entities=[entity(fields=[field(unique=0)])]),
        "entities[0].fields[0].unique must be true or false, not a number.",
    ),
    "version as fraction": (app(manifest_version=1.0), "manifest_version must be an integer, not a fraction."),
    "version as flag": (app(manifest_version=True), "manifest_version must be an integer, not a boolean."),
    "name as null": (app(name=None), "name must be a string, not null."),
    "entities as object": (app(entities={}), "entities must be an array, not an object."),
    "entity as array": (app(entities=[[]]), "entities[0] must be an object, not an array."),
    "expression as flag": (
        app(policies=[policy(allowRead=True)]),
        "policies[0].allowRead must be a string, not a boolean.",
    ),
    "negative lifetime": (
        app(auth={"session": {"expires_in": -1}}),
        "auth.session.expires_in must be 0 or more.",
    ),
    "auth as null": (app(auth=None), "auth must be an object, not null."),
    "not an object": ([app()], "The document must be an object, not an array."),
}


@pytest.mark.parametrize(("document", "message"), SHAPES.values(), ids=SHAPES)
def test_a_member_that_is_missing_or_of_the_wrong_type_is_named(document: Any, message: str) -> None:
    refused = refusal(jsontext.encode(document))

    [diagnostic] = refused.diagnostics
    assert (diagnostic.severity, diagnostic.code) == (Severity.ERROR, "MANIFEST_PARSE_ERROR")
    assert diagnostic.message == message
    assert diagnostic.span == Span("app.json")
    assert diagnostic.hint is None


def test_further_faults_are_counted_in_the_hint() -> None:
    refused = refusal(jsontext.encode({"manifest_version": 1, "name": "notes", "version": 3}))

    [diagnostic] = refused.diagnostics
    assert diagnostic.message == "version must be a string, not a number."
    assert diagnostic.hint == "2 more members are wrong too."


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("hello", 1, 1),
        ("{", 1, 2),
        ('{\n  "name": "x",\n  "version" 3\n}', 3, 13),
        (b'{"a": 1}\nDEBUG booting', 2, 1),
    ],
    ids=["empty", "prose", "unclosed", "no colon", "log line after the document"],
)
def test_broken_json_says_where(text: bytes | str, line: int, column: int) -> None:
    [diagnostic] = refusal(text).diagnostics

    assert diagnostic.code == "MANIFEST_PARSE_ERROR"
    assert diagnostic.span == Span("app.json", line, column)


@pytest.mark.parametrize(
    "text",
    [
        b'{"name": "\xff"}',
        '{"name": "\ud800"}',
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b'{"x": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"x": ' + b'{"x": ' * 300 + b"1" + b"}" * 301,
        "[" * 200_000,
    ],
    ids=[
        "bad utf-8",
        "lone surrogate",
        "NaN",
        "escaped lone surrogate",
        "300 arrays",
        "300 objects",
        "200000 unclosed arrays",
    ],
)
def test_text_no_manifest_can_hold_is_one_parse_error(text: bytes | str) -> None:
    [diagnostic] = refusal(text).diagnostics

    assert diagnostic.code == "MANIFEST_PARSE_ERROR"
    assert diagnostic.span is not None
    assert diagnostic.span.file == "app.json"


def test_depth_counts_in_members_that_are_ignored_too() -> None:
    deep = b"[" * 127 + b"]" * 127

    assert parse_manifest(jsontext.encode(app())[:-1] + b', "x": ' + deep + b"}").name == "notes"
    refusal(jsontext.encode(app())[:-1] + b', "x": [' + deep + b"]}")


def test_the_default_file_is_the_manifests_own_name() -> None:
    with pytest.raises(ManifestError) as refused:
        parse_manifest("{")

    assert refused.value.diagnostics[0].span == Span("pylon.manifest.json", 1, 2)


def test_a_manifest_error_is_a_pylon_error_with_the_first_code_and_message() -> None:
    refused: PylonError = refusal(jsontext.encode(app(name=1)))

    assert (refused.code, refused.message) == ("MANIFEST_PARSE_ERROR", "name must be a string, not a number.")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(notes_app())), _json)
def test_any_value_in_any_place_parses_or_is_refused(member: str, value: Any) -> None:
    with contextlib.suppress(ManifestError):
        parse_manifest(jsontext.encode({**notes_app(), member: value}))
