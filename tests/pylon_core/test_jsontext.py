"""JSON from untrusted text: every refusal is one error, and depth has a limit (contract 01 §1)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_core import jsontext
from pylon_core.errors import PylonError


def nested(opening: str, closing: str, depth: int) -> str:
    return opening * depth + closing * depth


def refusal_of(text: bytes | str) -> PylonError:
    with pytest.raises(PylonError) as refused:
        jsontext.decode(text)
    return refused.value


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"{}x", b"NaN", b"{'a': 1}", b'"\xff"', b"\xff\xfe{}", '"\ud800"', b'"\\ud800"', "[" * 300_000],
    ids=[
        "empty",
        "unclosed",
        "trailing",
        "NaN",
        "single quotes",
        "bad utf-8 in a string",
        "utf-16",
        "lone surrogate",
        "escaped lone surrogate",
        "300000 deep",
    ],
)
def test_text_that_is_not_json_is_refused(text: bytes | str) -> None:
    refused = refusal_of(text)

    assert (refused.code, refused.status) == ("INVALID_JSON", 400)


@pytest.mark.parametrize("as_text", [str, str.encode], ids=["str", "bytes"])
def test_the_depth_limit_is_128(as_text: Any) -> None:
    assert jsontext.decode(as_text(nested("[", "]", 128))) is not None
    assert refusal_of(as_text(nested("[", "]", 129))).code == "INVALID_JSON"
    assert jsontext.decode(as_text(nested('{"a":[', "]}", 64).replace("[]", "[1]"))) is not None
    assert refusal_of(as_text(nested('{"a":[', "]}", 65))).code == "INVALID_JSON"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(jsontext.decode("[" + ",".join(["{}"] * 1000) + "]")) == 1000
    assert jsontext.decode('"' + "[" * 1000 + '"') == "[" * 1000


@pytest.mark.parametrize("text", [b"[]", b"1", b'"a"', b"null"])
def test_an_object_is_an_object(text: bytes) -> None:
    with pytest.raises(PylonError) as refused:
        jsontext.decode_object(text)

    assert refused.value.code == "INVALID_DATA"


def test_decode_object_returns_the_object() -> None:
    assert jsontext.decode_object(b'{"a": [1, null, true]}') == {"a": [1, None, True]}


def test_a_refusal_repeats_nothing_of_the_text() -> None:
    assert "secret" not in str(refusal_of('{"password": "secret" oops'))


@pytest.mark.parametrize(
    ("text", "members"),
    [
        pytest.param('{"a":"1","b":"2","c":[1,2', {"a": "1", "b": "2"}, id="cut off later"),
        pytest.param(' { "a" : "\\u00e9\\"" , "b', {"a": 'é"'}, id="spaces and escapes"),
        pytest.param('{"a":"1","b":2,"c":"3"}', {"a": "1"}, id="behind one that is no text"),
        pytest.param('{"a":"1","b":"2', {"a": "1"}, id="cut off in a text"),
        pytest.param('{"a":"1","b":"\\x"}', {"a": "1"}, id="not JSON"),
        pytest.param('["a","b"]', {}, id="no object"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_leading_texts_are_what_is_whole(text: str, members: dict[str, str]) -> None:
    assert jsontext.leading_texts(text) == members


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
        lambda values: st.lists(values) | st.dictionaries(st.text(), values),
        max_leaves=20,
    ).filter(lambda value: "inf" not in str(value))
)
def test_what_is_encoded_decodes_to_the_same(value: Any) -> None:
    assert jsontext.decode(jsontext.encode(value)) == value
