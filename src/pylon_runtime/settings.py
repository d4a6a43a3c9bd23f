"""What one environment variable is: its name, how its text is read, its default, what it means.

``config.py`` lists the variables of the server with these; the user's guide prints that list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pylon_core.errors import PylonError

T = TypeVar("T")

_TRUE = frozenset({"1", "true"})
_FALSE = frozenset({"0", "false"})


class ConfigError(PylonError):
    """The configuration does not work; ``hint`` says which variable to set, and to what."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__("INVALID_CONFIG", message, hint=hint)


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One variable. ``parse`` raises ``ValueError`` saying what is expected; ``default`` is as a user writes it.

    A variable that is set but empty counts as unset, because that is what a deployment file leaves behind when
    a value is missing.
    """

    name: str
    parse: Callable[[str], T]
    default: str
    meaning: str

    def given(self, environ: Mapping[str, str]) -> T | None:
        """The value the environment gives, or ``None``."""
        text = environ.get(self.name, "").strip()
        if not text:
            return None
        try:
            return self.parse(text)
        except ValueError as expected:
            raise ConfigError(f"{self.name} does not work: {expected}.", hint=f"Correct {self.name}.") from None

    def read(self, environ: Mapping[str, str]) -> T:
        """The value the environment gives, or the default."""
        value = self.given(environ)
        return self.parse(self.default) if value is None else value


def boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("expected 1 or true, 0 or false")


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:20]) <= most):
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        problem = f"expected a number of seconds from {least:g} to {most:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(problem) from None
        if not least <= value <= most:
            raise ValueError(problem)
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text.lower()

    return parse


def visible_ascii(text: str) -> str:
    """Text that can stand in a header value: no spaces, no control characters."""
    if not all("!" <= character <= "~" for character in text):
        raise ValueError("expected printable ASCII characters without spaces")
    return text
