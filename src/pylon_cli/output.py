"""What the command says: colour and tables where a person looks, one JSON value a line where a program does."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from pylon_core import jsontext
from pylon_core.diagnostics import Diagnostic, Severity
from pylon_core.errors import PylonError
from pylon_core.manifest import ManifestError

JSON_FLAG = "--json"
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


@dataclass(frozen=True)
class Output:
    """Results go to standard output, problems to standard error; ``as_json`` makes both machine-readable."""

    as_json: bool
    screen: Console
    problems: Console

    @classmethod
    def for_arguments(cls, words: Sequence[str]) -> "Output":
        return cls(JSON_FLAG in words, Console(highlight=False), Console(stderr=True, highlight=False))

    @staticmethod
    def without_json_flag(words: Sequence[str]) -> list[str]:
        return [word for word in words if word != JSON_FLAG]

    def event(self, members: Mapping[str, Any]) -> None:
        """One result for a program; a person is shown something else by the command itself."""
        if self.as_json:
            sys.stdout.write(jsontext.encode(members).decode() + "\n")
            sys.stdout.flush()

    def error(self, error: PylonError) -> None:
        if isinstance(error, ManifestError):
            self.diagnostics(error.diagnostics)
        else:
            self.problem(error.code, error.message, error.hint)

    def problem(self, code: str, message: str, hint: str | None = None) -> None:
        self.diagnostics([Diagnostic(severity=Severity.ERROR, code=code, message=message, hint=hint)])

    def diagnostics(self, found: Sequence[Diagnostic]) -> None:
        """An array for a program, a line each for a person."""
        if self.as_json:
            sys.stdout.write(jsontext.encode(list(found)).decode() + "\n")
            sys.stdout.flush()
            return
        for diagnostic in found:
            colour = _COLOURS[diagnostic.severity]
            self.problems.print(f"[{colour}]{diagnostic.severity}[/] [bold]{diagnostic.code}[/]", end=" ")
            self.problems.print(diagnostic.message, markup=False)
            if diagnostic.hint:
                self.problems.print(f"  {diagnostic.hint}", style="dim", markup=False)
