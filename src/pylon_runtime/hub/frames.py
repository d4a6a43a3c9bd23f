"""Server-to-client WebSocket frames (RFC 6455 §5.2) as bytes that many connections can share.

A server's frames are not masked, so one encoding serves every connection. Pure.
"""

import struct

_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82
_FINAL_CLOSE = 0x88
_REASON_BYTES_MAX = 123

PING = b"\x89\x00"


def text_frame(payload: bytes) -> bytes:
    """One text message; ``payload`` is UTF-8."""
    return _frame(_FINAL_TEXT, payload)


def binary_frame(*parts: bytes) -> bytes:
    """One binary message, of the parts in a row; a large one is copied once."""
    return b"".join((_head(_FINAL_BINARY, sum(map(len, parts))), *parts))


def close_frame(code: int, reason: str) -> bytes:
    """``reason`` is cut to what a control frame can hold."""
    text = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore").encode()
    return _frame(_FINAL_CLOSE, struct.pack("!H", code) + text)


def _frame(first_byte: int, payload: bytes) -> bytes:
    return _head(first_byte, len(payload)) + payload


def _head(first_byte: int, size: int) -> bytes:
    if size <= 125:
        return struct.pack("!BB", first_byte, size)
    if size <= 0xFFFF:
        return struct.pack("!BBH", first_byte, 126, size)
    return struct.pack("!BBQ", first_byte, 127, size)
