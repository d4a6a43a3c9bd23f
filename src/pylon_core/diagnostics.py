"""A diagnostic: one finding about a manifest or a migration, for people and for ``--json`` (contract 02 §8.1).

Encoding a ``Diagnostic`` with ``jsontext.encode`` gives its wire form, ``str`` its text form.
"""

import enum
from collections.abc import Iterable

import msgspec


class Severity(enum.StrEnum):
    ERROR = "error"
    """Blocks start, dev, push and deploy."""
    WARNING = "warning"
    INFO = "info"


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in which file; line and column count from 1 and are absent when unknown."""

    file: str
    line: int | None = None
    column: int | None = None


class Diagnostic(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stable ``code``, a sentence for people and, when one is known, a way out."""

    severity: Severity
    code: str
    message: str
    hint: str | None = None
    span: Span | None = None

    def __str__(self) -> str:
        hint = "" if self.hint is None else f" (hint: {self.hint})"
        return f"[{self.severity}] {self.code}: {self.message}{hint}"


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(found.severity is Severity.ERROR for found in diagnostics)
