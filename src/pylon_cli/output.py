"""What the command says: colour and tables where a person looks, one JSON value a line where a program does.

Results, warnings and all JSON go to standard output; errors in words to standard error (contract 16 §1.3).
Output that nobody can read any more (a closed pipe, a full disk) is dropped: it is no reason to stop serving.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.text import Text

from pylon_core import jsontext
from pylon_core.diagnostics import Diagnostic, Severity, Span
from pylon_core.errors import PylonError
from pylon_core.manifest import ManifestError

JSON_FLAG = "--json"
_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}


@dataclass(frozen=True)
class Output:
    """``as_json`` makes results and problems alike machine-readable."""

    as_json: bool
    screen: Console
    problems: Console

    @classmethod
    def for_arguments(cls, words: Sequence[str]) -> "Output":
        return cls(JSON_FLAG in words, _Screen(highlight=False), _Screen(stderr=True, highlight=False))

    @staticmethod
    def without_json_flag(words: Sequence[str]) -> list[str]:
        return [word for word in words if word != JSON_FLAG]

    def event(self, members: Mapping[str, Any]) -> None:
        """One result for a program; a person is shown something else by the command itself."""
        if self.as_json:
            _write_json(members)

    def done(self, code: str, words: str, **members: Any) -> None:
        """That something was made: a result for a program, a line for a person."""
        self.event({"code": code, **members})
        if not self.as_json:
            self.diagnostics([Diagnostic(Severity.INFO, code, words)])

    def show(self, what: RenderableType) -> None:
        """Something for a person only."""
        if not self.as_json:
            _print(self.screen, what)

    def text(self, text: str) -> None:
        """A result that is text itself, in both modes, as it is."""
        _write_line(text)

    def aside(self, words: str) -> None:
        """What somebody else's program said: to standard error, beside our own words."""
        if words:
            _print(self.problems, Text(words))

    def loaded(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self.show(f"Loaded {path.name}")

    def error(self, error: PylonError) -> None:
        self.diagnostics(diagnostics_of(error))

    def diagnostics(self, found: Sequence[Diagnostic]) -> None:
        """An array for a program, a line or two each for a person."""
        if self.as_json:
            _write_json(found)
            return
        for diagnostic in found:
            console = self.problems if diagnostic.severity is Severity.ERROR else self.screen
            _print(console, _in_words(diagnostic))


def diagnostics_of(error: PylonError) -> Sequence[Diagnostic]:
    if isinstance(error, ManifestError):
        return error.diagnostics
    return [problem(error.code, error.message, error.hint)]


def problem(code: str, message: str, hint: str | None = None) -> Diagnostic:
    return Diagnostic(severity=Severity.ERROR, code=code, message=message, hint=hint)


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Where rich would end the process."""
        raise BrokenPipeError


def _print(console: Console, what: RenderableType) -> None:
    with _dropped_if_unreadable(console.file):
        console.print(what, markup=False, soft_wrap=True)


def _write_json(value: object) -> None:
    _write_line(jsontext.encode(value).decode())


def _write_line(text: str) -> None:
    if sys.stdout is not None:  # closed before we started
        with _dropped_if_unreadable(sys.stdout):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


@contextmanager
def _dropped_if_unreadable(stream: IO[str]) -> Iterator[None]:
    """After a failure the stream leads nowhere, so that what it still holds cannot fail as Python ends."""
    try:
        yield
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _in_words(found: Diagnostic) -> Text:
    words = Text.assemble("  ", (str(found.severity), _COLOURS[found.severity]), f"[{found.code}] ")
    if found.span is not None:
        words.append(f"{_place(found.span)}: ", style="cyan")
    words.append(found.message)
    if found.hint:
        words.append(f"\n    hint: {found.hint}", style="dim")
    return words


def _place(span: Span) -> str:
    """As editors and terminals recognise it, ``file:line:column``."""
    return ":".join(str(part) for part in (span.file, span.line, span.column) if part is not None)
