"""Bytes in, requests out: HTTP/1.1 framing without any I/O.

One parser per connection, fed by the thread that owns the connection. It applies every bound on a request
before its bytes are kept, and stops for good at the first request it must refuse: what follows a framing
error cannot be told from its body.

    IDLE ──first byte──> HEAD ──headers end──> BODY ──message ends──> IDLE

A ``POST`` to a streamed path arrives when its headers end, and its body as a ``StreamedBody``, for whoever handles
the request to take.
"""

import enum
from collections import deque
from collections.abc import Callable

import httptools
import msgspec
from httptools.parser.errors import HttpParserError, HttpParserUpgrade

from pylon_core.errors import PylonError
from pylon_http import Request
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_repeated_head import RepeatedHead

_UNFINISHED_BYTES_MAX = 64 << 10
"""Bytes that may pass without ending the headers or adding to the body: a header the parser has not told us of
yet, chunk extensions, trailers. Above the bounds of a sound head, so that those decide wherever they can."""

_LENGTH_DIGITS_MAX = 20
"""More digits cannot be a length, and turning very many into a number is slow."""

_KNOWN_NAMES = {
    name.title().encode(): name
    for name in (
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "origin",
        "referer",
        "user-agent",
        "x-forwarded-for",
    )
}
"""Headers of nearly every request, as written by most clients, to save decoding them."""


class Phase(enum.Enum):
    IDLE = "between requests"
    HEAD = "in the request line or the headers"
    BODY = "in the body"


class Handshake(enum.Enum):
    WEBSOCKET = "the end of HTTP on this connection"


class StreamedBody:
    """A body that was not kept together: what came of it and was not taken yet, and whether that is all."""

    __slots__ = ("is_complete", "pieces")

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()
        self.is_complete = False


class Arrival(msgspec.Struct, frozen=True):
    """A request, complete unless it has a streamed body, and what its connection must know to answer it."""

    request: Request
    keep_alive: bool
    http_1_0: bool
    special: Handshake | StreamedBody | None = None


class RequestParser:
    __slots__ = (
        "_body",
        "_headers",
        "_http_1_0",
        "_is_gone",
        "_limits",
        "_lines",
        "_parser",
        "_peer",
        "_refusal",
        "_repeated",
        "_streamed",
        "_streamed_paths",
        "_target",
        "_unfinished_bytes",
        "arrivals",
        "expects_continue",
        "failure",
        "phase",
        "tail",
    )

    def __init__(
        self,
        limits: ServerLimits,
        peer: str,
        is_gone: Callable[[], bool] | None = None,
        streamed_paths: tuple[bytes, ...] = (),
    ) -> None:
        self._limits = limits
        self._peer = peer
        self._is_gone = is_gone
        self._streamed_paths = streamed_paths
        self.arrivals: deque[Arrival] = deque()
        self.phase = Phase.IDLE
        self.failure: PylonError | None = None
        """Why nothing after ``arrivals`` will be read."""
        self.tail: bytes | None = None
        """What came after a WebSocket handshake, which is the last arrival."""
        self.expects_continue = False
        """The client waits for leave to send the body; whoever gives it sets this to false."""
        self._refusal: PylonError | None = None
        self._unfinished_bytes = 0
        self._target = b""
        self._lines: list[tuple[bytes, bytes]] = []
        """Header names and values, trailers included."""
        self._headers: dict[str, str] = {}
        self._body: bytes | bytearray = b""
        self._streamed: StreamedBody | None = None
        """The current body, when it is not kept together."""
        self._http_1_0 = False
        self._repeated: RepeatedHead | None = None
        """Of the last request, when it may come again."""
        self._parser = httptools.HttpRequestParser(self)

    @property
    def body_bytes(self) -> int:
        """How much of the current body has arrived."""
        return len(self._body)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection; results are in the attributes."""
        if self.failure is not None:
            return
        if self.phase is Phase.IDLE and self._unfinished_bytes == 0:
            if self._repeated is not None:
                request = self._repeated.request_in(data, self._limits.target_bytes_max, self._peer, self._is_gone)
                if request is not None:
                    self.arrivals.append(Arrival(request, keep_alive=True, http_1_0=False))
                    return
            self._parse(data)
            self._learn(data)
        else:
            self._parse(data)

    def _learn(self, data: bytes) -> None:
        """Remember the header block when ``data`` was one whole request with nothing unusual about it."""
        self._repeated = None
        if len(self.arrivals) == 1 and self.phase is Phase.IDLE and self.failure is None:
            arrival = self.arrivals[0]
            if arrival.keep_alive and not arrival.http_1_0:
                self._repeated = RepeatedHead.of(data, arrival.request)

    def _parse(self, data: bytes) -> None:
        self._unfinished_bytes += len(data)
        while data:
            try:
                self._parser.feed_data(data)
                break
            except HttpParserUpgrade as upgrade:
                data = self._after_upgrade(data[upgrade.args[0] :])
            except HttpParserError as error:
                self._fail(error)
                return
        if self._unfinished_bytes > _UNFINISHED_BYTES_MAX:
            self._refuse_unfinished()

    def abandon(self) -> None:
        """Read nothing more: the request was answered before its streamed body ended."""
        self.failure = self.failure or PylonError("BAD_REQUEST", "The request was answered before its end.")

    def close(self) -> None:
        """Drop the parser's references to this object, so that neither waits for the garbage collector."""
        del self._parser

    # Called back by httptools, in this order.

    def on_message_begin(self) -> None:
        self._target = b""
        self._lines = []
        self._unfinished_bytes = 0
        self.phase = Phase.HEAD

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self._limits.target_bytes_max:
            self._refuse(414, "URI_TOO_LONG", "The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        self.phase = Phase.BODY
        self._unfinished_bytes = 0
        headers = self._headers = self._joined_headers()
        version = self._parser.get_http_version()
        self._http_1_0 = version == "1.0"
        if version != "1.1" and not self._http_1_0:
            self._refuse(505, "BAD_REQUEST", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        if "host" not in headers and not self._http_1_0:
            self._refuse(400, "BAD_REQUEST", "The request has no Host header.")
        if "transfer-encoding" in headers:
            self._check_coding(headers["transfer-encoding"])
            self._expect_body(None)
        elif "content-length" in headers:
            self._expect_body(headers["content-length"])
        if "expect" in headers:
            self.expects_continue = not self._http_1_0 and headers["expect"].lower() == "100-continue"

    def on_body(self, data: bytes) -> None:
        self._unfinished_bytes = 0
        self.expects_continue = False
        if self._streamed is not None:
            self._streamed.pieces.append(data)
            return
        if not self._body:
            self._body = data
        else:
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += data
        if len(self._body) > self._limits.body_bytes_max:
            self._refuse_body(self._limits.body_bytes_max)

    def on_message_complete(self) -> None:
        if self._streamed is None:
            self._arrive(None)
        else:
            self._streamed.is_complete = True
            self._streamed = None
        self._unfinished_bytes = 0
        self.expects_continue = False
        self.phase = Phase.IDLE

    def _arrive(self, special: StreamedBody | None) -> None:
        parser = self._parser
        body = self._body
        request = Request(
            parser.get_method().decode("ascii"),
            _origin_form(self._target.decode("latin-1")),
            self._headers,
            body if isinstance(body, bytes) else bytes(body),
            self._peer,
            self._is_gone,
        )
        self.arrivals.append(Arrival(request, parser.should_keep_alive(), self._http_1_0, special))
        self._body = b""

    def _joined_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        size = 4 * len(self._lines)  # colon, space and line end of each
        for name, value in self._lines:
            size += len(name) + len(value)
            key = _KNOWN_NAMES.get(name) or name.decode("latin-1").lower()
            text = value.rstrip(b" \t").decode("latin-1")
            if key not in headers:
                headers[key] = text
            elif key == "host":
                self._refuse(400, "BAD_REQUEST", "The request names its host twice.")
            else:
                headers[key] = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}"
        if size > self._limits.header_bytes_max or len(self._lines) > self._limits.headers_max:
            self._refuse(431, "HEADERS_TOO_LARGE", "The request headers are too large.")
        return headers

    def _check_coding(self, coding: str) -> None:
        if self._http_1_0:
            self._refuse(400, "BAD_REQUEST", "HTTP/1.0 has no Transfer-Encoding.")
        if coding.lower() != "chunked":
            self._refuse(501, "NOT_IMPLEMENTED", "The only transfer coding understood is chunked.")

    def _expect_body(self, length: str | None) -> None:
        """A body follows the headers; ``length`` as declared, unless it is chunked."""
        target = self._target
        is_streamed = (
            target.startswith(self._streamed_paths)
            and target.partition(b"?")[0] in self._streamed_paths
            and self._parser.get_method() == b"POST"
        )
        if length is not None:
            if len(length) > _LENGTH_DIGITS_MAX:
                self._refuse(400, "BAD_REQUEST", "The Content-Length is not a length.")
            most = self._limits.streamed_bytes_max if is_streamed else self._limits.body_bytes_max
            if int(length) > most:
                self._refuse_body(most)
        if is_streamed:
            self._streamed = StreamedBody()
            self._arrive(self._streamed)

    def _refuse_body(self, most: int) -> None:
        self._refuse(413, "PAYLOAD_TOO_LARGE", f"The request body is larger than {most} bytes.")

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Stop the parser from inside one of its callbacks."""
        self._refusal = PylonError(code, message, status=status)
        raise self._refusal

    def _fail(self, cause: Exception) -> None:
        self.failure = self._refusal or PylonError("BAD_REQUEST", f"The request is not HTTP/1.1: {cause}.")
        self._body = b""
        self.expects_continue = False

    def _refuse_unfinished(self) -> None:
        """What grows without finishing anything: one endless header, or endless chunk extensions."""
        if self.phase is Phase.BODY:
            self.failure = PylonError("BAD_REQUEST", "The chunks of the body are mostly framing.")
        else:
            self.failure = PylonError("HEADERS_TOO_LARGE", "The request headers are too large.", status=431)

    def _after_upgrade(self, rest: bytes) -> bytes:
        """What to parse next, after a request that asked for another protocol ended with its headers.

        Only WebSocket is taken up. Another protocol is an offer that HTTP lets us ignore (Java's client offers
        HTTP/2 with each first request): the request is read again without it, so that its body is read too.
        """
        arrival = self.arrivals.pop()
        request = arrival.request
        if request.method == "CONNECT":
            self.failure = PylonError("BAD_REQUEST", "This server is not a proxy.")
            return b""
        if request.method == "GET" and request.headers["upgrade"].lower() == "websocket":
            self.arrivals.append(
                Arrival(request, keep_alive=False, http_1_0=arrival.http_1_0, special=Handshake.WEBSOCKET)
            )
            self.tail = rest
            return b""
        lines = [f"{request.method} {request.target} HTTP/1.{0 if arrival.http_1_0 else 1}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items() if name != "upgrade"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + rest


def _origin_form(target: str) -> str:
    """Path and query also of a target that a client of a proxy wrote in full (RFC 9112 §3.2.2)."""
    if target.startswith("/"):
        return target
    _, separator, rest = target.partition("://")
    if not separator:
        return target
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"
