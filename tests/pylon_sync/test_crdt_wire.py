"""Documents on the wire: byte for byte as published, and readable again whatever the names (contract 05 §7.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_sync.crdt_wire import NAME_BYTES_MAX, CrdtFrameKind, crdt_frame
from tests.support.crdt_frames import CrdtFrame, read_crdt_frame

names = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            crdt_frame(CrdtFrameKind.SNAPSHOT, "Message", "msg_123", b"\xab\xcd\xef"),
            "10 00 07 4D 65 73 73 61 67 65 00 07 6D 73 67 5F 31 32 33 AB CD EF",
        ),
        (crdt_frame(CrdtFrameKind.UPDATE, "X", "y", b""), "11 00 01 58 00 01 79"),
        (crdt_frame(CrdtFrameKind.UPDATE, "é", "", b"z"), "11 00 02 C3 A9 00 00 7A"),
    ],
)
def test_the_published_examples(frame: bytes | None, expected: str) -> None:
    assert frame == bytes.fromhex(expected)


@given(st.sampled_from(CrdtFrameKind), names, names, st.binary(max_size=20))
def test_what_was_written_is_read(kind: CrdtFrameKind, entity: str, row_id: str, payload: bytes) -> None:
    frame = crdt_frame(kind, entity, row_id, payload)

    assert frame is not None
    assert read_crdt_frame(frame) == CrdtFrame(kind, entity, row_id, payload)


def test_a_name_may_be_as_long_as_its_length_can_say_and_no_longer() -> None:
    longest = "é" * (NAME_BYTES_MAX // 2) + "x"

    assert crdt_frame(CrdtFrameKind.UPDATE, longest, longest, b"") is not None
    assert crdt_frame(CrdtFrameKind.UPDATE, longest + "x", "r", b"") is None
    assert crdt_frame(CrdtFrameKind.UPDATE, "E", longest + "x", b"") is None
