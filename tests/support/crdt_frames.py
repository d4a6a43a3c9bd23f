"""A reader of the binary messages that carry documents, written from the contract (05 §7.3) and not from the
code."""

from typing import NamedTuple


class CrdtFrame(NamedTuple):
    kind: int
    entity: str
    row_id: str
    payload: bytes


def read_crdt_frame(data: bytes) -> CrdtFrame:
    entity_end = 3 + int.from_bytes(data[1:3], "big")
    row_start = entity_end + 2
    row_end = row_start + int.from_bytes(data[entity_end:row_start], "big")
    assert len(data) >= row_end
    assert data[0] in (0x10, 0x11)
    return CrdtFrame(data[0], data[3:entity_end].decode(), data[row_start:row_end].decode(), data[row_end:])
