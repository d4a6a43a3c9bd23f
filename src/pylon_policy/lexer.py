"""Policy text to tokens (contract 04 §3.1, with numbers, ``< <= > >=`` and ``[ ]`` added). Pure functions."""

import enum
import re
from dataclasses import dataclass
from decimal import Decimal

from pylon_policy.expression import LiteralValue, PolicySyntaxError

TEXT_CHARS_MAX = 16 * 1024
"""No rule a person wrote comes near; it bounds what one rule can cost at load, per row and in a statement."""

NUMBER_MAX = 2**53
"""Beyond it JSON clients round whole numbers, and so would a comparison with a float column."""


class TokenKind(enum.Enum):
    WORD = enum.auto()
    STRING = enum.auto()
    NUMBER = enum.auto()
    MARK = enum.auto()
    END = enum.auto()


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    text: str
    """As written; for a string, its decoded content stands in ``value``."""
    offset: int
    value: LiteralValue = None


_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(?![A-Za-z0-9_.])")
_MARK = re.compile(r"&&|\|\||==|!=|<=|>=|[!<>(),\[\]]")
_PLAIN = {quote: re.compile(rf"[^\\{quote}]*") for quote in "\"'"}
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}


def syntax_error(text: str, offset: int, message: str) -> PolicySyntaxError:
    return PolicySyntaxError(message, *position(text, offset))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset into the text."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def tokenize(text: str) -> list[Token]:
    """Every token and a final END; raises ``PolicySyntaxError``."""
    if len(text) > TEXT_CHARS_MAX:
        raise syntax_error(text, 0, f"the expression is longer than {TEXT_CHARS_MAX} characters")
    tokens = []
    offset = _skip_space(text, 0)
    while offset < len(text):
        token, offset = _token_at(text, offset)
        tokens.append(token)
        offset = _skip_space(text, offset)
    tokens.append(Token(TokenKind.END, "", offset))
    return tokens


def _skip_space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return offset if match is None else match.end()


def _token_at(text: str, offset: int) -> tuple[Token, int]:
    """The token that starts here, and where it ends."""
    if text[offset] in _PLAIN:
        return _string_at(text, offset)
    if match := _WORD.match(text, offset):
        return Token(TokenKind.WORD, match[0], offset), match.end()
    if match := _MARK.match(text, offset):
        return Token(TokenKind.MARK, match[0], offset), match.end()
    if match := _NUMBER.match(text, offset):
        return Token(TokenKind.NUMBER, match[0], offset, _number(text, match)), match.end()
    raise syntax_error(text, offset, _complaint(text[offset]))


def _number(text: str, match: re.Match[str]) -> int | float:
    if abs(Decimal(match[0])) > NUMBER_MAX:
        raise syntax_error(text, match.start(), f"numbers must lie between -{NUMBER_MAX} and {NUMBER_MAX}")
    if match[1] is None:
        return int(match[0])
    return float(match[0]) + 0.0  # adding 0.0 turns -0.0 into 0.0


def _string_at(text: str, start: int) -> tuple[Token, int]:
    quote = text[start]
    parts = []
    offset = start + 1
    while (plain := _PLAIN[quote].match(text, offset)) is not None:
        parts.append(plain[0])
        offset = plain.end()
        if offset == len(text):
            break
        if text[offset] == quote:
            content = "".join(parts)
            _require_unicode(text, start, content)
            return Token(TokenKind.STRING, text[start : offset + 1], start, content), offset + 1
        escaped = text[offset + 1 : offset + 2]
        if escaped not in _ESCAPES:
            break
        parts.append(_ESCAPES[escaped])
        offset += 2
    if offset + 1 < len(text):
        raise syntax_error(text, offset, f"unknown escape \\{text[offset + 1]}")
    raise syntax_error(text, start, "this string has no closing quote")


def _require_unicode(text: str, start: int, content: str) -> None:
    # Half a surrogate pair is no character: no row holds one and no database accepts one as a parameter.
    if any("\ud800" <= char <= "\udfff" for char in content):
        raise syntax_error(text, start, "this string holds half a surrogate pair")


def _complaint(char: str) -> str:
    if char in "&|=":
        return f"a single {char} means nothing here; write {char * 2}"
    if char.isdecimal() or char == "-":
        return "a number is written in digits with an optional fraction, such as 3, -1 or 0.5"
    if char == ".":
        return "a path cannot start with a dot, nor a number"
    return f"unexpected character {char!r}"
