"""What is kept of a row, within what both engines hold."""

import pytest
import snowballstemmer  # type: ignore[import-untyped]  # it has no annotations

from pylon_storage.search.entry import BYTES_MAX, PLACES_MAX, TERM_PLACES_MAX, make_entry
from pylon_storage.search.fts5 import stored_text
from pylon_storage.search.tokens import Analyzer

PLAIN = Analyzer(None)


def test_every_field_has_its_places() -> None:
    assert make_entry(PLAIN, ["Red shoes", None, "red"]).fields == (("red", "shoes"), (), ("red",))


def test_words_whose_stem_is_another_are_kept_as_written_once() -> None:
    entry = make_entry(Analyzer("english"), ["running shoe", "running shoes"])

    assert entry.fields == (("run", "shoe"), ("run", "shoe"))
    assert entry.written == ("·running", "·shoes")


def test_a_term_that_stands_too_often_leaves_its_later_places_empty() -> None:
    entry = make_entry(PLAIN, ["a b " * TERM_PLACES_MAX, "a c"])

    assert entry.fields[0] == ("a", "b") * TERM_PLACES_MAX
    assert entry.fields[1] == (None, "c")
    assert stored_text(entry.fields[1]) == "· c"


def test_places_run_out_for_later_fields_first() -> None:
    words = " ".join(f"w{number}" for number in range(PLACES_MAX - 3))

    entry = make_entry(PLAIN, [words, "a b c d", "e"])

    assert [len(field) for field in entry.fields] == [PLACES_MAX - 3, 2, 0]


def test_words_that_are_not_kept_are_not_stemmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what an index costs, and is paid inside a transaction that others wait for."""
    stemmed: list[str] = []
    stemmer = snowballstemmer.stemmer

    def counted(name: str) -> object:
        stemmed.append(name)
        return stemmer(name)

    monkeypatch.setattr(snowballstemmer, "stemmer", counted)

    make_entry(Analyzer("english"), [" ".join(f"w{number}" for number in range(2 * PLACES_MAX))])

    assert len(stemmed) <= PLACES_MAX + 1


def test_bytes_run_out_too() -> None:
    words = " ".join(f"{number:05}" + "ж" * 59 for number in range(15_000))

    entry = make_entry(PLAIN, [words, "a"])

    (kept, last) = entry.fields
    assert 0 < sum(len(str(term).encode()) for term in kept) <= BYTES_MAX
    assert len(kept) < 15_000
    assert last == ()
