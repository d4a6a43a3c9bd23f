"""Which part of a file a request asks for (RFC 9110 §14): pure functions."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,20})-(\d{0,20})[ \t]*", re.ASCII)


@dataclass(frozen=True)
class ByteRange:
    """From ``start`` up to before ``end``."""

    start: int
    end: int


class Unsatisfiable(Exception):  # noqa: N818 - the RFC's word
    """Nothing of the file lies in the range."""


def parse_range(text: str, size: int) -> ByteRange | None:
    """The one range asked for; ``None`` for what is answered with the whole: several ranges, other units, and what
    cannot be read. Raises ``Unsatisfiable``."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise Unsatisfiable
        return ByteRange(size - length, size)
    start = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return ByteRange(start, min(last + 1, size))
