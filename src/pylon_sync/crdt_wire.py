"""The binary message that carries a collaborative document, or what a change added to it (contract 05 §7.3).

    kind, 1 byte | length of the entity, 2 | entity | length of the row id, 2 | row id | Loro bytes to the end

Lengths are big-endian and count bytes of UTF-8. Pure; any thread may call it.
"""

import enum
import struct

NAME_BYTES_MAX = 0xFFFF


class CrdtFrameKind(enum.IntEnum):
    SNAPSHOT = 0x10
    """The whole document."""
    UPDATE = 0x11
    """What one change added to it. Clients import both alike."""


def crdt_frame(kind: CrdtFrameKind, entity: str, row_id: str, payload: bytes) -> bytes | None:
    """``None`` when a name is too long to be told."""
    name, row = entity.encode(), row_id.encode()
    if len(name) > NAME_BYTES_MAX or len(row) > NAME_BYTES_MAX:
        return None
    return b"%b%b%b%b%b" % (struct.pack("!BH", kind, len(name)), name, struct.pack("!H", len(row)), row, payload)
