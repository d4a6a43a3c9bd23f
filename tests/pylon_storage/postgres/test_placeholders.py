"""Marks are numbered where they are marks, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_storage.postgres.placeholders import numbered
from pylon_storage.sql import quote


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("SELECT 1", "SELECT 1"),
        ("a = ? AND b IN (?, ?)", "a = $1 AND b IN ($2, $3)"),
        ("\"what?\" = ? AND b = 'who?' AND c = ?", "\"what?\" = $1 AND b = 'who?' AND c = $2"),
        ('"say ""why?"" now" = ?', '"say ""why?"" now" = $1'),
        ("a = 'it''s ?' OR b = ?", "a = 'it''s ?' OR b = $1"),
        ("a = ? -- why?\n AND b = ?", "a = $1 -- why?\n AND b = $2"),
        ("a = ? /* ? */ AND b = ?::text[]", "a = $1 /* ? */ AND b = $2::text[]"),
    ],
)
def test_marks_are_numbered_in_their_order(text: str, sent: str) -> None:
    assert numbered(text) == sent.encode()


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.lists(st.one_of(names.map(quote), names.map(lambda t: "'" + t.replace("'", "''") + "'"), st.just("?"))))
def test_whatever_is_quoted_is_left_alone(parts: list[str]) -> None:
    sent = numbered(" = ".join(parts)).decode()

    number = 0
    expected = []
    for part in parts:
        number += part == "?"
        expected.append(f"${number}" if part == "?" else part)
    assert sent == " = ".join(expected)
