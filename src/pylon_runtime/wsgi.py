"""The gateway as an ordinary WSGI callable (PEP 3333), for any host: Flask, Django, gunicorn, mod_wsgi.

Mount it anywhere; the gateway sees the paths below its mount point. The host owns sockets, threads and the
limits on slow clients; only the size of a body is bounded here. Any thread may call.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from pylon_core.errors import PylonError
from pylon_http import Request, Response, StreamedRequest
from pylon_router import UPLOAD_PATH
from pylon_runtime.gateway import BODY_BYTES_MAX, METHODS_WITHOUT_BODY, Gateway, too_large
from pylon_runtime.http_stream import BodySource, SizedResponse, SourcedResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_WITHOUT_CONTENT = frozenset({204, 304})
_PATH_SAFE = "/:@!$&'()*+,;=~"
"""What a path may hold unquoted besides letters, digits, ``_ . -`` (RFC 3986)."""

_PIECE_BYTES = 256 << 10


class WsgiApp:
    """``streamed_bytes_max`` bounds the declared length of an upload, which is read while it is handled."""

    def __init__(self, gateway: Gateway, streamed_bytes_max: int = BODY_BYTES_MAX) -> None:
        self._gateway = gateway
        self._streamed_bytes_max = streamed_bytes_max

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        response = self._respond(environ)
        has_content = environ["REQUEST_METHOD"] != "HEAD" and response.status not in _WITHOUT_CONTENT
        content: Iterable[bytes] = (response.body,) if has_content else ()
        if has_content and isinstance(response, SourcedResponse):
            try:
                content = _Content(response.open())
            except PylonError as error:
                response = Response.error(error)
                content = (response.body,)
        start_response(_status_line(response.status), self._header_list(response))
        return content

    def _respond(self, environ: "WSGIEnvironment") -> Response:
        try:
            request = self._request(environ)
        except PylonError as error:
            return Response.error(error)
        return self._gateway.handle(request)

    def _request(self, environ: "WSGIEnvironment") -> Request:
        method: str = environ["REQUEST_METHOD"]
        target = _target(environ)
        headers = _headers(environ)
        peer: str = environ.get("REMOTE_ADDR", "")
        if method == "POST" and target.partition("?")[0] == UPLOAD_PATH:
            stream = _InputStream(environ, _declared_length(environ, self._streamed_bytes_max))
            return StreamedRequest(method, target, headers, b"", peer, stream=stream)
        return Request(method, target, headers, _body(environ), peer)

    def _header_list(self, response: Response) -> list[tuple[str, str]]:
        headers = [*response.headers, *self._gateway.common_headers]
        if response.status not in _WITHOUT_CONTENT:
            headers.append(("Content-Type", response.content_type))
            if isinstance(response, SizedResponse):
                headers.append(("Content-Length", str(response.size)))
            elif not isinstance(response, SourcedResponse):
                headers.append(("Content-Length", str(len(response.body))))
        return headers


class _Content:
    """The body of a sourced response as WSGI wants it; hosts call ``close`` however it ends."""

    def __init__(self, source: BodySource) -> None:
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._source.read():
            yield piece

    def close(self) -> None:
        self._source.close()


class _InputStream:
    """The body of a request as the host gives it, ``length`` bytes, or to its own end."""

    def __init__(self, environ: "WSGIEnvironment", length: int | None) -> None:
        self._input = environ["wsgi.input"]
        self._left = length

    def read(self) -> bytes:
        size = _PIECE_BYTES if self._left is None else min(_PIECE_BYTES, self._left)
        if size == 0:
            return b""
        try:
            piece = bytes(self._input.read(size))
        except OSError:
            raise _cut_short() from None
        if self._left is not None:
            if not piece:
                raise _cut_short()
            self._left -= len(piece)
        return piece


def _target(environ: "WSGIEnvironment") -> str:
    """Path and query below the mount point, percent-encoded as the client sent them when the host tells.

    WSGI decodes the path, which loses the difference between ``/`` and ``%2F``; most hosts keep the original
    beside it. It is used only while it says the same as the official path, which a middleware may have changed.
    """
    path = environ.get("PATH_INFO", "").encode("latin-1")
    mount = environ.get("SCRIPT_NAME", "").encode("latin-1")
    raw = (environ.get("REQUEST_URI") or environ.get("RAW_URI") or "").partition("?")[0]
    below = _below(raw, mount)
    target = quote(path, safe=_PATH_SAFE) if below is None or unquote_to_bytes(below) != path else below
    query = environ.get("QUERY_STRING", "")
    return f"{target or '/'}?{query}" if query else target or "/"


def _below(raw: str, mount: bytes) -> str | None:
    """What follows the mount point in a raw path, or ``None`` when it does not lie there."""
    segments = raw.split("/")
    depth = mount.count(b"/") + 1
    if unquote_to_bytes("/".join(segments[:depth])) != mount:
        return None
    return "/" + "/".join(segments[depth:])


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[key.replace("_", "-").lower()] = environ[key]
    return headers


def _body(environ: "WSGIEnvironment") -> bytes:
    if environ["REQUEST_METHOD"] in METHODS_WITHOUT_BODY:
        return b""
    length = _declared_length(environ, BODY_BYTES_MAX)
    body = bytes(environ["wsgi.input"].read(BODY_BYTES_MAX + 1 if length is None else length))
    if length is not None and len(body) < length:
        raise _cut_short()
    return body


def _declared_length(environ: "WSGIEnvironment", most: int) -> int | None:
    """The length of the body; ``None`` when the host ends it itself. Raises PAYLOAD_TOO_LARGE, PROTOCOL_ERROR."""
    declared = environ.get("CONTENT_LENGTH") or None
    if declared is None:
        # Only a host that ends the stream itself (chunked requests) may be read without a length.
        return None if environ.get("wsgi.input_terminated") else 0
    if not (declared.isascii() and declared.isdigit()):
        raise PylonError("PROTOCOL_ERROR", "The request's Content-Length is not a number.", status=400)
    if len(declared) > 18 or int(declared) > most:
        raise too_large(most)
    return int(declared)


def _cut_short() -> PylonError:
    return PylonError("PROTOCOL_ERROR", "The request ended before its body was complete.", status=400)


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status"
