"""The event stream endpoint: the change feed as server-sent events, for clients without WebSockets (contract 05
§8).

Beyond ``endpoint``: without a credential the stream is anonymous and shows what anybody may read; a credential
that fails is refused. The client has nothing to say, so the reader only waits for its end.
"""

import socket

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core.errors import PylonError
from pylon_http import Request
from pylon_runtime.hub.endpoint import SocketEndpoint
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.hub.wire import EVENT_STREAM

_PATH = "/api/sync/events"
_SHORT_PATH = "/events"
STREAM_PATHS = frozenset({_PATH, _SHORT_PATH})
"""Where the main port has the stream; the extra port has it anywhere."""

_BEGINNING = (
    b"HTTP/1.1 200 OK\r\n"
    b"Server: pylon\r\n"
    b"Content-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Connection: keep-alive\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"X-Accel-Buffering: no\r\n"
    b"%b\r\n"
    b": connected\n\n"
)
_READ_BYTES = 2048


def asks_for_stream(request: Request) -> bool:
    """Whether a request of the main port is for the stream. A browser that goes to ``/events`` wants a page of the
    app."""
    if request.method != "GET" or not request.target.startswith((_SHORT_PATH, _PATH)):
        return False
    path = request.target.partition("?")[0]
    return path == _PATH or (path == _SHORT_PATH and "text/html" not in request.headers.get("accept", ""))


class EventStreamEndpoint(SocketEndpoint):
    def _serve(self, request: Request, sock: socket.socket, buffered: bytes, identity: SocketIdentity) -> None:  # noqa: ARG002 - nothing is expected of the client
        auth = identity.auth
        if auth is None:
            raise PylonError(
                "UNAUTHORIZED", "The credential is not valid.", hint="Without one, the stream is public."
            )
        self._notice_silence(sock)
        sock.sendall(_BEGINNING % _cors(request, auth).encode("latin-1"))
        connection = self._register(request, auth, identity.expires_ns, sock, EVENT_STREAM)
        if connection is None:
            return
        try:
            while sock.recv(_READ_BYTES):
                pass
        finally:
            self._hub.leave(connection)

    def _notice_silence(self, sock: socket.socket) -> None:
        """The client answers no heartbeat; but its kernel does, or the connection ends."""
        silence_ms = int(2000 * self._limits.ping_interval_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silence_ms)


def _cors(request: Request, auth: AuthContext) -> str:
    """Which page may read the stream: it was let in, so any that asks for what is public, else the one that
    asks."""
    origin = request.headers.get("origin")
    if origin is None or auth == ANONYMOUS:
        return "Access-Control-Allow-Origin: *\r\n"
    return f"Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n"
