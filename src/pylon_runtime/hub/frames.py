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


def binary_frame(payload: bytes) -> bytes:
    return _frame(_FINAL_BINARY, payload)


def close_frame(code: int, reason: str) -> bytes:
    """``reason`` is cut to what a control frame can hold."""
    text = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore").encode()
    return _frame(_FINAL_CLOSE, struct.pack("!H", code) + text)


def _frame(first_byte: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= 125:
        return struct.pack("!BB", first_byte, size) + payload
    if size <= 0xFFFF:
        return struct.pack("!BBH", first_byte, 126, size) + payload
    return struct.pack("!BBQ", first_byte, 127, size) + payload
