"""What both kinds of socket endpoint share: taking a connection over, who is let in, refusing, and the end.

The server calls an endpoint on a worker thread that holds no turn; that thread is the connection's reader for its
whole life. What is refused here is refused as HTTP, before anything else was said. Each endpoint, that is each
kind of socket on each port, counts its own connections. Any number of threads may be inside.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import Request, Response
from pylon_runtime.http_writer import ResponseWriter
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.hub import Hub
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.slots import Slots
from pylon_runtime.hub.wire import Wire

_LINGER_S = 1.0


class SocketEndpoint(ABC):
    def __init__(
        self,
        hub: Hub,
        authenticate: Callable[[Request], SocketIdentity],
        peer_of: Callable[[Request], str],
        limits: HubLimits,
        clock: Clock,
    ) -> None:
        """``peer_of`` names the address whose sockets are counted."""
        self._hub = hub
        self._authenticate = authenticate
        self._peer_of = peer_of
        self._limits = limits
        self._clock = clock
        self._peers = Slots(limits.connections_per_peer_max, "address")
        self._users = Slots(limits.connections_per_user_max, "user")

    def __call__(self, request: Request, sock: socket.socket, buffered: bytes) -> None:
        """Serve a connection until it has ended; ``buffered`` is what was read behind the request.

        Takes the socket over: ``sock`` is detached, so that nobody else can close a file descriptor which the
        hub may be writing to.
        """
        with socket.socket(fileno=sock.detach()) as own:
            own.settimeout(None)
            with suppress(OSError):  # not TCP
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):
                try:
                    with self._admitted(request) as identity:
                        self._serve(request, own, buffered, identity)
                except PylonError as refusal:
                    self._answer(own, refusal)
                self._linger(own)

    @abstractmethod
    def _serve(self, request: Request, sock: socket.socket, buffered: bytes, identity: SocketIdentity) -> None:
        """Serve a connection that was let in. Raises ``PylonError`` to have it refused, as long as nothing was
        sent."""

    @contextmanager
    def _admitted(self, request: Request) -> Iterator[SocketIdentity]:
        """Who asks, holding a slot of their address, and one of their own, during the body."""
        with self._peers.claim(self._peer_of(request)):
            identity = self._authenticate(request)
            if not identity.origin_allowed:
                raise PylonError("FORBIDDEN", "This page may not open a socket here.")
            user_id = None if identity.auth is None else identity.auth.user_id
            if user_id is None:
                yield identity
            else:
                with self._users.claim(user_id):
                    yield identity

    def _register(
        self, request: Request, auth: AuthContext, expires_ns: int, sock: socket.socket, wire: Wire
    ) -> Connection | None:
        """Have the hub write to the socket; ``None`` when it is not running. Whoever gets a connection has to see
        to it that it leaves."""
        connection = self._hub.register(auth, sock, wire, expires_ns, self._peer_of(request))
        if connection is not None:
            self._look_again(request, connection)
        return connection

    def _look_again(self, request: Request, connection: Connection) -> None:
        """A session that ended between the first look and the registration was not found among the sockets to
        close; a second look, after the registration, sees that it ended."""
        try:
            auth = self._authenticate(request).auth
        except PylonError:
            self._hub.close(connection, close_codes.SERVICE_RESTART, "The session could not be read again.")
            return
        if auth is None:
            self._hub.close(connection, close_codes.POLICY_VIOLATION, "The session ended.")
        elif auth != connection.auth:
            self._hub.close(connection, close_codes.SERVICE_RESTART, "The session changed.")

    def _answer(self, sock: socket.socket, refusal: PylonError) -> None:
        response = Response.error(refusal)
        head = ResponseWriter(self._clock).head(response, keep_alive=False, http_1_0=False)
        sock.sendall(head + response.body)

    def _linger(self, sock: socket.socket) -> None:
        """Read until the peer has closed: were its bytes left unread, the kernel would drop our last ones."""
        until = self._clock.monotonic() + _LINGER_S
        sock.shutdown(socket.SHUT_WR)
        while (left := until - self._clock.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(4096):
                return
