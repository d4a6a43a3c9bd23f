"""Names for what an app declares: identifiers of the language, each used once in its namespace. Pure.

A manifest may call things ``due-date``, ``class`` or ``Promise``, and two things the same. A name that works is
kept as it is. Which one gives way depends on the order of the claims only, and that is always the same.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

_WORD = re.compile(r"\W", re.ASCII)


@dataclass(frozen=True)
class Spelling:
    """What a language takes for a name. ``escape`` wraps a keyword so that it may be one after all, if it can."""

    keywords: Collection[str]
    escape: str = ""

    def is_word(self, text: str) -> bool:
        """Whether it can be written as a name as far as its characters go: letters of any common script can, in
        the one form that Python reads them in."""
        return (
            text.isidentifier()
            and max(text) <= "\uffff"
            and unicodedata.normalize("NFKC", text) == text
            and text.strip("_") != ""
            and not text.startswith("__")
        )

    def is_name(self, text: str) -> bool:
        return self.is_word(text) and text not in self.keywords

    def spelled(self, text: str) -> str:
        """The text as a name where it is the only one of its kind: a member, a label."""
        word = text if self.is_word(text) else _as_word(text)
        if word not in self.keywords:
            return word
        return f"{self.escape}{word}{self.escape}" if self.escape else f"{word}_"


class Scope:
    """One namespace. ``taken`` are the names that the generated file, or the language, uses there already."""

    def __init__(self, spelling: Spelling, taken: Collection[str] = ()) -> None:
        self._spelling = spelling
        self._taken = set(taken)

    def claim(self, *wanted: str) -> str:
        """The first of the wanted names that is free, else the last with a number."""
        words = [text if self._spelling.is_word(text) else _as_word(text) for text in wanted]
        numbered = (f"{words[-1]}{number}" for number in itertools.count(2))
        name = next(word for word in itertools.chain(words, numbered) if self._is_free(word))
        self._taken.add(name)
        return name

    def claim_member(self, name: str) -> str:
        """Like ``claim`` for a member, where a keyword can be spelled."""
        word = self._spelling.spelled(name)
        numbered = (f"{_as_word(name)}{number}" for number in itertools.count(2))
        free = next(found for found in itertools.chain((word,), numbered) if found not in self._taken)
        self._taken.add(free)
        return free

    def _is_free(self, word: str) -> bool:
        return word not in self._taken and self._spelling.is_name(word)


def words(text: str) -> frozenset[str]:
    """Names in a list, with space between them."""
    return frozenset(text.split())


def capitalised(name: str) -> str:
    """With its first letter in upper case, and the rest as it is."""
    return name[:1].upper() + name[1:]


def quoted(text: str) -> str:
    """A literal with double quotes, as JavaScript and Python read it."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _as_word(text: str) -> str:
    """``due-date`` as ``due_date``; what no letter is left of as ``unnamed``."""
    word = _WORD.sub("_", text).lstrip("_")
    if not word.strip("_"):
        return "unnamed"
    return f"_{word}" if word[0].isdigit() else word
