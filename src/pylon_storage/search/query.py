"""The search syntax: what somebody typed, as phrases that must and must not be there.

    red shoes       both words, anywhere         "red shoes"    one after the other
    sho*            words that begin so          -used          none of these; -"as new" too

What is written without a space stands without one, so ``red-shoe``, ``bob@example.com`` and a run of Chinese are
phrases. Anything can be typed: what is no word separates words, and a quote without its other half is none. Pure.
"""

import re
from itertools import islice

import msgspec

from pylon_storage.search.tokens import Analyzer

TERMS_MAX = 32
"""Words and phrases of one search; further ones are ignored."""
PHRASE_WORDS_MAX = 64
WRITTEN_MARK = "·"
"""Begins the terms that stand for words as they are written; no word has it."""

_PARTS = re.compile(r'(-?)"([^"]*)"|(\S+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟＂", '"'))


class Phrase(msgspec.Struct, frozen=True):
    """Terms next to each other; with ``is_prefix`` the last is the beginning of one."""

    terms: tuple[str, ...]
    is_prefix: bool = False


class Query(msgspec.Struct, frozen=True):
    """A row must have at least one phrase of each of ``required``, and none of ``excluded``."""

    required: tuple[tuple[Phrase, ...], ...] = ()
    excluded: tuple[Phrase, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Nothing is asked, so every row matches."""
        return not self.required and not self.excluded


def parse_query(text: str, analyzer: Analyzer) -> Query:
    required: list[tuple[Phrase, ...]] = []
    excluded: list[Phrase] = []
    for part in _PARTS.finditer(text.translate(_QUOTES)):
        if len(required) + len(excluded) >= TERMS_MAX:
            break
        minus, quoted, plain = part.groups()
        is_excluded = bool(minus) if plain is None else plain.startswith("-")
        is_prefix = plain is not None and plain.endswith("*")
        phrases = _phrases(quoted if plain is None else plain, analyzer, is_prefix=is_prefix)
        if is_excluded:
            excluded.extend(phrases)
        elif phrases:
            required.append(phrases)
    return Query(tuple(required), tuple(excluded))


def _phrases(text: str, analyzer: Analyzer, *, is_prefix: bool) -> tuple[Phrase, ...]:
    """The ways a row may have this text; none when there is no word in it.

    What begins a word need not begin its stem ("runni*"), so it is looked for among words as written too.
    """
    words = list(islice(analyzer.words(text), PHRASE_WORDS_MAX))
    if not words:
        return ()
    if not is_prefix:
        return (Phrase(tuple(word.term for word in words)),)
    last = words[-1].written
    phrase = Phrase((*(word.term for word in words[:-1]), last), is_prefix=True)
    if len(words) > 1 or analyzer.language is None:
        return (phrase,)
    return phrase, Phrase((WRITTEN_MARK + last,), is_prefix=True)
