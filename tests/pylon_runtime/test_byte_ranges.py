"""Which part of a file a Range header means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_runtime.byte_ranges import ByteRange, Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=2-4", ByteRange(2, 5)),
        ("bytes=2-", ByteRange(2, 10)),
        ("bytes=2-99", ByteRange(2, 10)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-99", ByteRange(0, 10)),
        ("bytes= 2-4 ", ByteRange(2, 5)),
        ("bytes=9-", ByteRange(9, 10)),
        ("bytes=4-2", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("0-1", None),
        ("bytes=٣-٤", None),
        ("bytes=0-" + "9" * 5000, None),
    ],
)
def test_a_range_of_ten_bytes(text: str, expected: ByteRange | None) -> None:
    assert parse_range(text, 10) == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0), ("bytes=0-0", 0)],
)
def test_a_range_outside_the_file_cannot_be_had(text: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(text, size)


@given(st.text(alphabet="bytes=-,0123456789 \t", max_size=30), st.integers(0, 50))
def test_whatever_is_asked_for_lies_inside(text: str, size: int) -> None:
    try:
        part = parse_range(text, size)
    except Unsatisfiable:
        return

    assert part is None or 0 <= part.start < part.end <= size
