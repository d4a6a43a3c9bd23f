"""JSON in and out: one encoder, one decoder with a depth limit, for every floor."""

import re
from typing import Any

import msgspec

from pylon_core.errors import PylonError

DEPTH_MAX = 128

_TEXT = r'("(?:[^"\\]|\\.)*")'
_TEXT_MEMBER = re.compile(rf"\s*[{{,]\s*{_TEXT}\s*:\s*{_TEXT}\s*(?=[,}}])")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

encode = _encoder.encode
"""A value as compact UTF-8 JSON."""


def decode(text: bytes | str) -> Any:
    """A JSON value from untrusted text.

    Raises ``PylonError`` INVALID_JSON when it is not JSON or nests deeper than ``DEPTH_MAX`` (contract 01 §1).
    """
    try:
        value = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise PylonError("INVALID_JSON", "The request body is not valid JSON.") from None
    if _may_be_deep(text) and _depth_exceeds(value, DEPTH_MAX):
        raise PylonError("INVALID_JSON", f"The JSON nests deeper than {DEPTH_MAX} levels.")
    return value


def decode_object(text: bytes | str) -> dict[str, Any]:
    """Like ``decode``, for text that must be a JSON object (else INVALID_DATA)."""
    value = decode(text)
    if not isinstance(value, dict):
        raise PylonError("INVALID_DATA", "The request body must be a JSON object.")
    return value


def leading_texts(text: str) -> dict[str, str]:
    """The members before the first that is no text, of a JSON object which may be cut off anywhere."""
    members: dict[str, str] = {}
    found = _TEXT_MEMBER.match(text)
    try:
        while found is not None:
            members[decode(found[1])] = decode(found[2])
            found = _TEXT_MEMBER.match(text, found.end())
    except PylonError:  # no JSON after all
        pass
    return members


def _may_be_deep(text: bytes | str) -> bool:
    if isinstance(text, str):
        return text.count("[") + text.count("{") > DEPTH_MAX
    return text.count(b"[") + text.count(b"{") > DEPTH_MAX


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return any(isinstance(node, dict | list) for node in level)


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
