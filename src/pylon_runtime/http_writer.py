"""Responses as bytes.

What does not change between answers is rendered once: status line and headers by status and content type,
the Date line once a second. Any thread may render; ``refresh_date`` belongs to the server's clock tick, and
replacing one bytes object needs no lock.
"""

from email.utils import formatdate
from http import HTTPStatus

from pylon_core.clock import Clock
from pylon_http import Response

_BODILESS = frozenset({204, 304})
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_PREFIXES_MAX = 256  # content types may come from uploads; the many that matter recur
_KEEP_ALIVE = b"Connection: keep-alive\r\n"
_CLOSE = b"Connection: close\r\n"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

HeaderTuples = tuple[tuple[str, str], ...]


class ResponseWriter:
    """``headers`` go out with every answer."""

    def __init__(self, clock: Clock, headers: HeaderTuples = ()) -> None:
        self._clock = clock
        self._common = _lines(headers)
        self._prefixes: dict[tuple[int, str], bytes] = {}
        self._date = b""
        self.refresh_date()

    def refresh_date(self) -> None:
        text = formatdate(self._clock.now_ns() / 1e9, usegmt=True)
        self._date = b"Date: %b\r\n" % text.encode("ascii")

    def head(self, response: Response, *, keep_alive: bool, http_1_0: bool) -> bytes:
        """Everything before the body. ``ValueError`` when the response cannot be written as HTTP."""
        length = b"" if response.status in _BODILESS else b"Content-Length: %d\r\n" % len(response.body)
        return self._head(response, length + persistence(keep_alive=keep_alive, http_1_0=http_1_0))

    def sized_head(self, response: Response, size: int, *, keep_alive: bool, http_1_0: bool) -> bytes:
        """Everything before a body of ``size`` bytes that is not in memory."""
        length = b"Content-Length: %d\r\n" % size
        return self._head(response, length + persistence(keep_alive=keep_alive, http_1_0=http_1_0))

    def stream_head(self, response: Response, *, chunked: bool) -> bytes:
        """Everything before a body whose end is not known: chunked, or ended by the connection."""
        return self._head(response, b"Transfer-Encoding: chunked\r\n" + _CLOSE if chunked else _CLOSE)

    def _head(self, response: Response, framing: bytes) -> bytes:
        key = (response.status, response.content_type)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefix(key)
        if response.headers:
            framing = _lines(response.headers) + framing
        return b"%b%b%b\r\n" % (prefix, self._date, framing)

    def _prefix(self, key: tuple[int, str]) -> bytes:
        status, content_type = key
        if not 200 <= status <= 599:
            raise ValueError(f"status {status} is not one a handler may answer")
        line = b"HTTP/1.1 %d %b\r\nServer: pylon\r\n" % (status, _phrase(status))
        content = b"" if status in _BODILESS else _lines((("Content-Type", content_type),))
        prefix = line + self._common + content
        if len(self._prefixes) < _PREFIXES_MAX:
            self._prefixes[key] = prefix
        return prefix


def persistence(*, keep_alive: bool, http_1_0: bool) -> bytes:
    """The Connection header, where what it says is not already the version's default."""
    if not keep_alive:
        return _CLOSE
    return _KEEP_ALIVE if http_1_0 else b""


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b"Unknown"


def _lines(headers: HeaderTuples) -> bytes:
    if any(name.lower() in _FRAMING for name, _ in headers):
        raise ValueError("how an answer is framed is decided here")
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    count = len(headers)
    if text.count("\r") != count or text.count("\n") != count or "\0" in text:
        raise ValueError("a header may not contain line breaks")
    return text.encode("latin-1")
