"""The wire and text forms of a diagnostic (contract 02 §8.1)."""

import json

import pytest

from pylon_core import jsontext
from pylon_core.diagnostics import Diagnostic, Severity, Span, has_errors


def wire(diagnostic: Diagnostic) -> object:
    return json.loads(jsontext.encode(diagnostic))


def test_the_wire_form_holds_every_member_that_is_set() -> None:
    found = Diagnostic(Severity.ERROR, "FIELD_TYPE_UNKNOWN", "text", "optional text", Span("app.ts", 3, 7))

    assert wire(found) == {
        "severity": "error",
        "code": "FIELD_TYPE_UNKNOWN",
        "message": "text",
        "hint": "optional text",
        "span": {"file": "app.ts", "line": 3, "column": 7},
    }


def test_the_wire_form_omits_what_is_absent() -> None:
    assert wire(Diagnostic(Severity.INFO, "SCHEMA_OK", "fine")) == {
        "severity": "info",
        "code": "SCHEMA_OK",
        "message": "fine",
    }
    assert wire(Diagnostic(Severity.ERROR, "X", "m", span=Span("app.ts"))) == {
        "severity": "error",
        "code": "X",
        "message": "m",
        "span": {"file": "app.ts"},
    }


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Diagnostic(Severity.ERROR, "CODE", "message", "do this"), "[error] CODE: message (hint: do this)"),
        (Diagnostic(Severity.WARNING, "CODE", "message"), "[warning] CODE: message"),
        (Diagnostic(Severity.INFO, "CODE", "message", span=Span("f", 1, 2)), "[info] CODE: message"),
    ],
    ids=["with hint", "without hint", "span is not shown"],
)
def test_the_text_form(found: Diagnostic, text: str) -> None:
    assert str(found) == text


def test_only_an_error_makes_diagnostics_have_errors() -> None:
    doubt, note = Diagnostic(Severity.WARNING, "W", ""), Diagnostic(Severity.INFO, "I", "")

    assert not has_errors([])
    assert not has_errors([doubt, note])
    assert has_errors([doubt, Diagnostic(Severity.ERROR, "E", "")])
