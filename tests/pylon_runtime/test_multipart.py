"""The file of a form, wherever the pieces of the body are cut; what is no complete form is refused."""

from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_core.errors import PylonError
from pylon_runtime.multipart import FormFile, is_form

BOUNDARY = "pylon-42"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(disposition: str, data: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *lines, "", ""])
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FIELD = part('name="note"', b"--pylon-4 is not the boundary")


def read(pieces: Iterable[bytes], content_type: str = TYPE) -> tuple[str, str, bytes]:
    file = FormFile(content_type, pieces)
    return file.name, file.content_type, b"".join(file)


@given(
    data=st.binary(max_size=300)
    | st.sampled_from([b"\r\n--pylon-4", b"\r\n--", b"--pylon-42x", b"\r", b"\n\r\n"]),
    draw=st.data(),
)
def test_the_file_comes_out_whole_wherever_the_body_is_cut(data: bytes, draw: st.DataObject) -> None:
    if b"--pylon-42" in data:
        data = data.replace(b"--pylon-42", b"--pylon_42")
    body = FIELD + part('name="file"; filename="a.png"', data, "Content-Type: image/png") + FIELD + END
    cuts = sorted(draw.draw(st.sets(st.integers(1, len(body) - 1), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert read(pieces) == ("a.png", "image/png", data)


def test_a_large_piece_is_as_good_as_many_small_ones() -> None:
    data = b"\r\n--pylon" * 500_000

    assert read([part('name="f"; filename="x"', data) + END]) == ("x", "", data)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param('name="f"; filename="a b.txt"', "a b.txt", id="spaces"),
        pytest.param("name=f; filename=plain.txt", "plain.txt", id="no quotes"),
        pytest.param('name="f"; filename="grüße.txt"', "grüße.txt", id="UTF-8"),
        pytest.param("name=f; filename*=UTF-8''gr%C3%BC.txt", "grü.txt", id="RFC 5987"),
        pytest.param(r'name="f"; filename="say \"hi\".txt"', 'say "hi".txt', id="escaped quotes"),
        pytest.param('name="f"; filename="semi;colon.txt"', "semi;colon.txt", id="semicolon"),
        pytest.param('name="f"; filename=""', "", id="empty"),
        pytest.param('filename="nameless.txt"', "nameless.txt", id="no field name"),
    ],
)
def test_the_name_is_what_the_client_meant(disposition: str, name: str) -> None:
    assert read([part(disposition, b"abc") + END]) == (name, "", b"abc")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"a preamble\r\n" + FIELD, id="after a preamble and a field"),
        pytest.param(b"\r\n", id="after an empty line"),
        pytest.param(b"", id="at once"),
    ],
)
@pytest.mark.parametrize(
    "end", [END, END + b"an epilogue", END[:-2]], ids=["end", "epilogue", "no last line break"]
)
def test_the_file_may_stand_anywhere(body: bytes, end: bytes) -> None:
    assert read([body + part('name="f"; filename="x"', b"abc") + end])[2] == b"abc"


def test_only_the_first_file_counts() -> None:
    body = part('name="a"; filename="1"', b"one") + part('name="b"; filename="2"', b"two") + END

    assert read([body]) == ("1", "", b"one")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/form-data", part('name="f"; filename="x"', b"abc") + END, id="no boundary"),
        pytest.param("multipart/form-data; boundary=", b"abc", id="empty boundary"),
        pytest.param(f"multipart/form-data; boundary={'x' * 500}", b"abc", id="endless boundary"),
        pytest.param(TYPE, b"", id="nothing"),
        pytest.param(TYPE, END, id="no part"),
        pytest.param(TYPE, FIELD + END, id="no file"),
        pytest.param(TYPE, b"abc", id="no form"),
        pytest.param(TYPE, part('name="f"; filename="x"', b"abc"), id="no end"),
        pytest.param(TYPE, part('name="f"; filename="x"', b"abc")[:-7], id="cut in the data"),
        pytest.param(
            TYPE, f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nabc\r\n".encode() + END, id="no name"
        ),
        pytest.param(
            TYPE, part('name="f"; filename="\xff"', b"").replace("\xff".encode(), b"\xff") + END, id="not UTF-8"
        ),
        pytest.param(TYPE, b"x" * (3 << 20), id="endless preamble"),
        pytest.param(TYPE, f"--{BOUNDARY}\r\nX: ".encode() + b"x" * (3 << 20), id="endless header"),
        pytest.param(TYPE, part('name="f"; filename="x"', b"abc") + END + b"x" * (3 << 20), id="endless epilogue"),
        pytest.param(TYPE, FIELD * 2000 + END, id="too many parts"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1 << 16, 1 << 22])
def test_what_is_no_complete_form_with_a_file_is_refused(content_type: str, body: bytes, piece_bytes: int) -> None:
    pieces = (body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes))

    with pytest.raises(PylonError) as refusal:
        read(pieces, content_type)

    assert (refusal.value.code, refusal.value.status) == ("INVALID_MULTIPART", 400)


@given(st.binary(max_size=400))
def test_no_bytes_break_it_otherwise(noise: bytes) -> None:
    body = FIELD + part('name="f"; filename="x"', noise) + noise

    with suppress(PylonError):
        read([body, END])


def test_forms_are_known_by_their_type() -> None:
    assert [
        is_form(kind) for kind in ("multipart/form-data; boundary=x", "Multipart/Form-Data", "text/plain")
    ] == [
        True,
        True,
        False,
    ]
