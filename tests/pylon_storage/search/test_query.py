"""What a search means, whatever somebody types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_storage.search.query import PHRASE_WORDS_MAX, TERMS_MAX, Phrase, Query, parse_query
from pylon_storage.search.tokens import Analyzer

PLAIN = Analyzer(None)
ENGLISH = Analyzer("english")


def phrase(text: str, *, is_prefix: bool = False) -> Phrase:
    return Phrase(tuple(text.split()), is_prefix)


def required(*texts: str) -> Query:
    return Query(tuple((phrase(text),) for text in texts))


def excluding(query: Query, *texts: str) -> Query:
    return Query(query.required, tuple(map(phrase, texts)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red  shoes", required("red", "shoes")),
        ('"red shoes" new', required("red shoes", "new")),
        ("“red shoes„", required("red shoes")),
        ('"red shoes', required("red", "shoes")),
        ('6" nails', required("6", "nails")),
        ('""', Query()),
        ("red-shoe", required("red shoe")),
        ("bob@example.com", required("bob example com")),
        ("don't", required("don t")),
        ("東京タワー", required("東 京 タ ワ ー")),
        ("-used", excluding(Query(), "used")),
        ('shoes -used -"as new"', excluding(required("shoes"), "used", "as new")),
        ("shoes -a-b", excluding(required("shoes"), "a b")),
        ("--used", excluding(Query(), "used")),
        ("a - b", required("a", "b")),
        ("red AND (blue OR NOT green)", required("red", "and", "blue", "or", "not", "green")),
        ("title:red^2 {x} NEAR(a)", required("title red 2", "x", "near a")),
        ("a & b | !c <-> d:*", Query((*required("a", "b", "c").required, (phrase("d", is_prefix=True),)))),
        ("sho*", Query(((phrase("sho", is_prefix=True),),))),
        ("red-sho*", Query(((phrase("red sho", is_prefix=True),),))),
        ("-sho*", Query((), (phrase("sho", is_prefix=True),))),
        ("*", Query()),
        ('- * -* " -" \'', Query()),
        ("", Query()),
        (" \t\n\u3000", Query()),
        ("🎉 … \0", Query()),
    ],
    ids=ascii,
)
def test_a_search_means(text: str, expected: Query) -> None:
    assert parse_query(text, PLAIN) == expected


def test_with_a_language_stems_are_looked_for_and_beginnings_also_among_words_as_written() -> None:
    assert parse_query('running "red shoes"', ENGLISH) == required("run", "red shoe")
    assert parse_query("runni*", ENGLISH) == Query(
        ((phrase("runni", is_prefix=True), phrase("·runni", is_prefix=True)),)
    )
    assert parse_query("-runni*", ENGLISH).excluded == (
        phrase("runni", is_prefix=True),
        phrase("·runni", is_prefix=True),
    )


def test_a_search_is_bounded() -> None:
    many = parse_query(" ".join(f"-w{number}" if number % 2 else f"w{number}" for number in range(1000)), PLAIN)
    long = parse_query("字" * 1000, PLAIN)

    assert len(many.required) + len(many.excluded) == TERMS_MAX
    assert [len(found.terms) for (found,) in long.required] == [PHRASE_WORDS_MAX]


@given(text=st.text(alphabet=st.one_of(st.sampled_from('"-* ·\0ab字é'), st.characters())))
def test_anything_can_be_typed(text: str) -> None:
    for analyzer in (PLAIN, ENGLISH):
        query = parse_query(text, analyzer)

        phrases = [*(one for alternatives in query.required for one in alternatives), *query.excluded]
        assert all(found.terms and all(found.terms) for found in phrases)
