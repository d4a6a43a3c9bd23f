"""The headers of a connection's last request. Clients send the same ones with nearly every request, and then they
need not be parsed again.

Whatever could mean something else to the parser is not taken here, but left to it: only one whole request, in
origin form, by a usual method, with the same bytes from the end of its request line to its blank line.
"""

import re
from collections.abc import Callable, Mapping
from typing import Self

import msgspec

from pylon_http import Request

_BLOCK_BYTES_MAX = 2 << 10
"""Longest header block remembered for a connection; ten thousand of them are 20 MB."""

_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (/[!\"$-~]*) HTTP/1\.1")
"""The request lines that a repeated header block may follow: origin form, nothing to normalise."""

_USUAL_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"})
_UNUSUAL_HEADERS = frozenset({"connection", "expect", "transfer-encoding", "upgrade"})


class RepeatedHead(msgspec.Struct, frozen=True):
    block: bytes
    """From the end of the request line to the blank line."""
    headers: Mapping[str, str]
    """The same, parsed."""
    body_bytes: int

    @classmethod
    def of(cls, data: bytes, request: Request) -> Self | None:
        """The head of ``request``, which was parsed from ``data``, unless something about it is unusual."""
        line_end = data.find(b"\r\n")
        block = data[line_end : len(data) - len(request.body)]
        is_usual = (
            not _UNUSUAL_HEADERS & request.headers.keys()
            and len(block) <= _BLOCK_BYTES_MAX
            and data.find(b"\r\n\r\n") == line_end + len(block) - 4
            and _REQUEST_LINE.fullmatch(data, 0, line_end)
        )
        return cls(block, request.headers, len(request.body)) if is_usual else None

    def request_in(
        self, data: bytes, target_bytes_max: int, peer: str, is_gone: Callable[[], bool] | None
    ) -> Request | None:
        """The request that ``data`` is, if it is one whole request with this head."""
        line_end = data.find(b"\r\n")
        body_at = line_end + len(self.block)
        if len(data) != body_at + self.body_bytes or not data.startswith(self.block, line_end):
            return None
        line = _REQUEST_LINE.fullmatch(data, 0, line_end)
        if line is None or len(line[2]) > target_bytes_max or line[1] not in _USUAL_METHODS:
            return None
        return Request(line[1].decode(), line[2].decode(), self.headers, data[body_at:], peer, is_gone)
