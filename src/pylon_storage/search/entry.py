"""What the index keeps of a row: its terms, each in its place, within what both engines hold.

Postgres holds 255 places of a term, places up to 16,383 and a megabyte in all; the same is kept on SQLite, so that
both find the same. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from pylon_storage.search.query import WRITTEN_MARK
from pylon_storage.search.tokens import Analyzer, Word

PLACES_MAX = 16_000
TERM_PLACES_MAX = 255
BYTES_MAX = 900_000
_TERM_OVERHEAD_BYTES = 8

Places = tuple[str | None, ...]
"""The term at each place of a text; ``None`` where one stands too often to be kept."""


class Entry(msgspec.Struct, frozen=True):
    """By field, in the manifest's order. ``written`` are marked words whose stem is not how they are written."""

    fields: tuple[Places, ...]
    written: tuple[str, ...]


def make_entry(analyzer: Analyzer, texts: Sequence[str | None]) -> Entry:
    kept = _Keeper()
    fields = tuple(kept.places(analyzer.words(text or "")) for text in texts)
    return Entry(fields, tuple(kept.written))


class _Keeper:
    """Counts down what may still be kept of one row."""

    def __init__(self) -> None:
        self._places_left = PLACES_MAX
        self._bytes_left = BYTES_MAX
        self._times: Counter[str] = Counter()
        self.written: dict[str, None] = {}

    def places(self, words: Iterable[Word]) -> Places:
        places: list[str | None] = []
        for word in words:
            if not self._has_room(word):
                break
            self._times[word.term] += 1
            places.append(word.term if self._times[word.term] <= TERM_PLACES_MAX else None)
            if word.written != word.term:
                self.written[WRITTEN_MARK + word.written] = None
        self._places_left -= 1  # the gap to the next field, which no phrase spans
        return tuple(places)

    def _has_room(self, word: Word) -> bool:
        """Once something did not fit, nothing that follows does."""
        self._places_left -= 1
        self._bytes_left -= len(word.term.encode()) + _TERM_OVERHEAD_BYTES
        if word.written != word.term:
            self._bytes_left -= len(word.written.encode()) + _TERM_OVERHEAD_BYTES
        return self._places_left >= 0 and self._bytes_left >= 0
