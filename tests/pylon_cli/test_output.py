"""What a person and what a program read."""

import json

import pytest

from pylon_cli.output import Output, problem
from pylon_core.diagnostics import Diagnostic, Severity, Span
from pylon_core.errors import PylonError

FOUND = [
    Diagnostic(Severity.ERROR, "A", "it is [bold]wrong[/bold]", span=Span("m.json", 3, 7)),
    Diagnostic(Severity.WARNING, "B", "it is odd", hint="look"),
    Diagnostic(Severity.INFO, "C", "it is " + "long " * 40, span=Span("m.json")),
]


def test_errors_go_to_standard_error_and_the_rest_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Output.for_arguments([]).diagnostics(FOUND)

    out, err = capsys.readouterr()
    assert err == "  error[A] m.json:3:7: it is [bold]wrong[/bold]\n"
    assert out.splitlines() == [
        "  warning[B] it is odd",
        "    hint: look",
        "  info[C] m.json: it is " + "long " * 40,
    ]


def test_a_program_reads_one_array_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    Output.for_arguments(["dev", "--json"]).diagnostics(FOUND)

    out, err = capsys.readouterr()
    assert err == ""
    assert [found["code"] for found in json.loads(out)] == ["A", "B", "C"]


def test_lines_are_for_people_and_events_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--json"]):
        output = Output.for_arguments(words)
        output.show("it runs [on]")
        output.event({"code": "OK"})

    assert capsys.readouterr().out == 'it runs [on]\n{"code":"OK"}\n'


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colour_where_none_is_wanted(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1" if variable == "NO_COLOR" else "dumb")

    Output.for_arguments([]).diagnostics([problem("A", "wrong", "look")])

    assert "\x1b" not in capsys.readouterr().err


def test_an_error_keeps_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    Output.for_arguments([]).error(PylonError("PORT_IN_USE", "Port 1 is in use.", hint="Choose another."))

    assert capsys.readouterr().err == "  error[PORT_IN_USE] Port 1 is in use.\n    hint: Choose another.\n"
