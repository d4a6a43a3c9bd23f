"""The gateway as an ordinary WSGI callable (PEP 3333), for any host: Flask, Django, gunicorn, mod_wsgi.

Mount it anywhere; the gateway sees the paths below its mount point. The host owns sockets, threads and the
limits on slow clients; only the size of a body is bounded here. Any thread may call.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from pylon_core.errors import PylonError
from pylon_http import Request, Response
from pylon_runtime.gateway import BODY_BYTES_MAX, METHODS_WITHOUT_BODY, Gateway, too_large

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_WITHOUT_CONTENT = frozenset({204, 304})
_PATH_SAFE = "/:@!$&'()*+,;=~"
"""What a path may hold unquoted besides letters, digits, ``_ . -`` (RFC 3986)."""


class WsgiApp:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        response = self._respond(environ)
        start_response(_status_line(response.status), self._header_list(response))
        if environ["REQUEST_METHOD"] == "HEAD" or response.status in _WITHOUT_CONTENT:
            return []
        return [response.body]

    def _respond(self, environ: "WSGIEnvironment") -> Response:
        try:
            request = Request(
                method=environ["REQUEST_METHOD"],
                target=_target(environ),
                headers=_headers(environ),
                body=_body(environ),
                peer=environ.get("REMOTE_ADDR", ""),
            )
        except PylonError as error:
            return Response.error(error)
        return self._gateway.handle(request)

    def _header_list(self, response: Response) -> list[tuple[str, str]]:
        headers = [*response.headers, *self._gateway.common_headers]
        if response.status not in _WITHOUT_CONTENT:
            headers.append(("Content-Type", response.content_type))
            headers.append(("Content-Length", str(len(response.body))))
        return headers


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
    stream = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH") or None
    if declared is None:
        # Only a host that ends the stream itself (chunked requests) may be read without a length.
        return bytes(stream.read(BODY_BYTES_MAX + 1)) if environ.get("wsgi.input_terminated") else b""
    if not (declared.isascii() and declared.isdigit()):
        raise PylonError("PROTOCOL_ERROR", "The request's Content-Length is not a number.", status=400)
    if len(declared) > 18 or int(declared) > BODY_BYTES_MAX:
        raise too_large()
    body: bytes = stream.read(int(declared))
    if len(body) < int(declared):
        raise PylonError("PROTOCOL_ERROR", "The request ended before its body was complete.", status=400)
    return body


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status"
