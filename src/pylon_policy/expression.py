"""What a policy author wrote, as a tree: the output of ``parser`` and the input of ``lowering``.

Nothing here has a meaning yet. Parentheses stay in the tree because they mean something: a parenthesised
operand of a comparison is read as a condition, not as a value. Trees are immutable; any thread may share them.
"""

import enum
from dataclasses import dataclass, field

from pylon_core.errors import PylonError

LiteralValue = str | int | float | bool | None


class Comparison(enum.StrEnum):
    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True)
class Literal:
    value: LiteralValue


@dataclass(frozen=True, slots=True)
class Path:
    """``data.author.id`` as its segments; empty ones (``a..b``) are kept. Line and column count from 1."""

    segments: tuple[str, ...]
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class RoleCall:
    """``auth.hasRole('a')`` or ``auth.hasAnyRole('a', 'b')``: one question, two spellings."""

    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    inner: "Expression"


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Compare:
    op: Comparison
    left: "Expression"
    right: Literal | Path


@dataclass(frozen=True, slots=True)
class In:
    left: "Expression"
    items: tuple[Literal, ...]


Expression = Literal | Path | RoleCall | Group | Not | And | Or | Compare | In


class PolicySyntaxError(PylonError):
    """The text is no policy expression. ``line`` and ``column`` count from 1 and name the place to look at."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__("POLICY_SYNTAX_ERROR", f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column
