"""What counts as a word. Rows and searches go through the same, on both engines."""

import pytest
import snowballstemmer  # type: ignore[import-untyped]  # it has no annotations
from hypothesis import given
from hypothesis import strategies as st

from pylon_core.manifest_checks.references import STEMMED_LANGUAGES
from pylon_storage.search.query import WRITTEN_MARK
from pylon_storage.search.tokens import TEXT_CHARS_MAX, WORD_CHARS_MAX, Analyzer

PLAIN = Analyzer(None)
ENGLISH = Analyzer("english")


def terms(text: str, analyzer: Analyzer = PLAIN) -> list[str]:
    return [word.term for word in analyzer.words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Red SHOES", ["red", "shoes"]),
        ("Wi-Fi, e-mail; a_b", ["wi", "fi", "e", "mail", "a", "b"]),
        ("bob@example.com 4.5", ["bob", "example", "com", "4", "5"]),
        ("Café CAFE\u0301 ÅNGSTRÖM", ["cafe", "cafe", "angstrom"]),
        ("Straße ﬁne ①", ["strasse", "fine", "1"]),
        ("İstanbul", ["istanbul"]),
        ("Ёлка ΟΔΟΣ", ["елка", "οδοσ"]),
        ("שָׁלוֹם", ["שלום"]),
        ("हिन्दी", ["हिन्दी"]),
        ("co\u00adoperate", ["cooperate"]),
        ("1\ufe0f\u20e3 ❤️ 🎉", ["1"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("ガ ﾊﾟ", ["ガ", "パ"]),
        ("한국어", ["한", "국", "어"]),
        ("tokyo東京2020", ["tokyo", "東", "京", "2020"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("\0 \ud800 \u0301 · 。", []),
    ],
    ids=ascii,
)
def test_a_text_has_these_words(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_with_a_language_words_are_known_by_their_stems() -> None:
    assert terms("Running runners ran", ENGLISH) == ["run", "runner", "ran"]
    assert [word.written for word in ENGLISH.words("Running")] == ["running"]
    assert terms("les élèves mangées", Analyzer("french")) == terms("LES ÉLÈVE MANGÉ", Analyzer("French"))
    assert terms("красивый", Analyzer("russian")) == terms("красивая", Analyzer("russian"))


@pytest.mark.parametrize("language", [None, "", "klingon", "english'; DROP TABLE x"])
def test_an_unknown_language_stems_nothing(language: str | None) -> None:
    assert terms("running", Analyzer(language)) == ["running"]


def test_the_manifest_check_knows_the_languages_there_are() -> None:
    assert set(snowballstemmer.algorithms()) == STEMMED_LANGUAGES


def test_another_language_is_another_fingerprint() -> None:
    fingerprints = {Analyzer(language).fingerprint for language in (None, "english", "german")}

    assert len(fingerprints) == 3
    assert Analyzer("klingon").fingerprint == PLAIN.fingerprint


def test_long_words_and_texts_are_cut() -> None:
    assert terms("x" * 1000) == ["x" * WORD_CHARS_MAX]
    assert terms("é" * 1000) == ["e" * WORD_CHARS_MAX]
    assert len(terms("a " * TEXT_CHARS_MAX)) == TEXT_CHARS_MAX // 2


@given(text=st.text(), language=st.sampled_from([None, "english", "arabic", "hindi"]))
def test_terms_are_what_both_engines_take_as_they_are(text: str, language: str | None) -> None:
    """FTS5 cuts at every ASCII character but letters and digits; both quote with ``'`` or ``"``."""
    for word in Analyzer(language).words(text):
        for form in word:
            assert form
            assert WRITTEN_MARK not in form
            assert all(character.isalnum() for character in form if character.isascii())
            assert not any(character.isspace() for character in form)
            assert len(form.encode()) < 2_000


@given(text=st.text())
def test_case_does_not_count(text: str) -> None:
    assert terms(text.casefold()) == terms(text)


@given(left=st.text(), right=st.text())
def test_a_space_always_separates(left: str, right: str) -> None:
    assert terms(f"{left} {right}") == terms(left) + terms(right)
