"""What counts as a word, in rows and in searches alike, so that both engines find the same.

Letters and digits make words, whatever stands between them separates: ``Wi-Fi`` is two. Case and accents do not
count. Scripts that put no space between words (Chinese, Japanese, Thai, ...), and Korean, whose words grow
endings, give a word for each character. With a language, a word is known by its stem. Pure over bounded caches, so
any thread may use it.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from typing import NamedTuple

import snowballstemmer  # type: ignore[import-untyped]  # it has no annotations

WORD_CHARS_MAX = 64
"""Longer words are known by their beginning."""
TEXT_CHARS_MAX = 500_000
"""Characters of one text that are looked at."""
WORDS_CACHED_MAX = 16_384

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_UNSPACED = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1780, 0x1800),  # Khmer
    range(0x3005, 0x3008),  # ideographic marks
    range(0x3040, 0x3130),  # Hiragana, Katakana, Bopomofo
    range(0x31A0, 0x3200),  # Bopomofo, Katakana
    range(0x3400, 0xA000),  # Han
    range(0xAC00, 0xD7B0),  # Hangul
    range(0xF900, 0xFB00),  # Han
    range(0x1B000, 0x1B170),  # Kana
    range(0x20000, 0x33480),  # Han
)
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_BEYOND_CACHE = 0x10000


class Word(NamedTuple):
    """``term`` is what it is found by; ``written`` is the word itself, without its accents."""

    term: str
    written: str


class Analyzer:
    """``language`` names a Snowball stemmer; one that is unknown counts as none."""

    def __init__(self, language: str | None) -> None:
        name = (language or "").lower()
        self.language = name if name in snowballstemmer.algorithms() else None
        self._word = lru_cache(WORDS_CACHED_MAX)(self._analysed)

    @property
    def fingerprint(self) -> str:
        """Changes when the same text may give other words than it did."""
        stemmer = "" if self.language is None else f"{self.language} {version('snowballstemmer')}"
        return f"1 {unicodedata.unidata_version} {stemmer}"

    def words(self, text: str) -> Iterator[Word]:
        """Every word in its place, worked out when it is asked for: finding a stem takes long beside everything
        else. A word that folds away, such as a lone accent, is none."""
        spelled = _split(text[:TEXT_CHARS_MAX])
        if self.language is None and text.isascii():
            return (Word(word[:WORD_CHARS_MAX], word[:WORD_CHARS_MAX]) for word in spelled)
        analysed = (self._word(word[:WORD_CHARS_MAX]) for word in spelled)
        return (word for word in analysed if word.term and word.written)

    def _analysed(self, word: str) -> Word:
        written = _without_accents(word)
        if self.language is None:
            return Word(written, written)
        # a stemmer keeps state between its calls, and looks at accents
        stem = snowballstemmer.stemmer(self.language).stemWord(word)
        return Word(_without_accents(stem) or written, written)


def _split(text: str) -> list[str]:
    """Words in lower case, accents and all."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return unicodedata.normalize("NFKC", text).casefold().translate(_SPACING).split()


class _Spacing(dict[int, str]):
    """What ``str.translate`` makes of a character, so that ``split`` finds the words."""

    def __missing__(self, code: int) -> str:
        spaced = _spaced(code)
        if code < _BEYOND_CACHE:
            self[code] = spaced
        return spaced


_SPACING = _Spacing()


def _spaced(code: int) -> str:
    character = chr(code)
    category = unicodedata.category(character)
    if category in ("Cf", "Me") or any(code in selectors for selectors in _VARIATION_SELECTORS):
        return ""  # soft hyphens, joiners, what makes a digit an emoji: not seen, so not separating
    if not character.isalnum() and category not in ("Mn", "Mc"):
        return " "
    return f" {character} " if any(code in script for script in _UNSPACED) else character


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    parts = (part for part in unicodedata.normalize("NFD", word) if not _is_accent(part))
    return unicodedata.normalize("NFC", "".join(parts))


def _is_accent(character: str) -> bool:
    """Marks above and below, and the points of Hebrew and Arabic: what a hurried writer leaves out. Not those that
    make another letter: the vowels of Indic scripts, the voicing of Kana."""
    combining = unicodedata.combining(character)
    return combining >= 200 or 10 <= combining <= 36
