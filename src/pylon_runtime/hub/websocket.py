"""The sync WebSocket endpoint: from an upgrade request to the end of the socket (contract 05 §6).

The server calls the endpoint on a worker thread that holds no turn; that thread is the connection's reader for
its whole life. A refusal that a program can read as HTTP comes before the upgrade; a missing or failed
credential is answered with 101 and a close frame, as clients expect. Any number of threads may be inside.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import simple_websocket  # type: ignore[import-untyped]  # the package has no type information
from wsproto.utilities import ProtocolError

from pylon_auth.context import AuthContext
from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import Request, Response
from pylon_runtime.http_writer import ResponseWriter
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.hub import Hub
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.peers import PeerSlots
from pylon_runtime.hub.protocol import ReaderSocket, ServerProtocol
from pylon_runtime.hub.relay import RELAYED_TYPES, RelayAllowance, relayed

SYNC_PATHS = frozenset({"/", "/ws", "/api/sync/ws"})
"""Where the main port takes sync sockets; the extra port takes them anywhere."""

MessageHandler = Callable[[Connection, Mapping[str, Any]], None]
"""Serves one message of a client on its reader's thread, which holds no turn; it may wait. What a client may not
say or did not mean is passed over: nothing may be raised."""

_LINGER_S = 1.0


class WebSocketEndpoint:
    def __init__(
        self,
        hub: Hub,
        authenticate: Callable[[Request], SocketIdentity],
        peer_of: Callable[[Request], str],
        limits: HubLimits,
        clock: Clock,
        messages: Mapping[str, MessageHandler],
        paths: frozenset[str] | None,
    ) -> None:
        """``paths`` ``None`` accepts every path. ``peer_of`` names whom the cap on sockets counts; ``messages``
        are served by their type."""
        self._hub = hub
        self._authenticate = authenticate
        self._peer_of = peer_of
        self._limits = limits
        self._clock = clock
        self._messages = messages
        self._paths = paths
        self._slots = PeerSlots(limits.connections_per_peer_max)

    def __call__(self, request: Request, sock: socket.socket, buffered: bytes) -> None:
        """Serve a connection until it has ended; ``buffered`` is what was read behind the request.

        Takes the socket over: ``sock`` is detached, so that nobody else can close a file descriptor which the
        hub may be writing to.
        """
        with socket.socket(fileno=sock.detach()) as own:
            own.settimeout(None)
            with suppress(OSError):  # not TCP
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._slots.claim(self._peer_of(request)) as has_slot, suppress(OSError):
                try:
                    self._serve(request, own, buffered, has_slot=has_slot)
                except PylonError as refusal:
                    self._answer(own, refusal)
                self._linger(own)

    def _serve(self, request: Request, sock: socket.socket, buffered: bytes, *, has_slot: bool) -> None:
        """Raises ``PylonError`` for what is refused before the upgrade."""
        self._check_path(request.target)
        if not has_slot:
            raise PylonError("NOT_AVAILABLE", "This address has too many open WebSockets.")
        identity = self._authenticate(request)
        if not identity.origin_allowed:
            raise PylonError("FORBIDDEN", "This page may not open a WebSocket here.")
        reader = ReaderSocket(sock, buffered)
        protocol = self._shake_hands(request, reader, identity.subprotocol)
        auth = identity.auth
        if auth is None or auth.user_id is None:
            protocol.close(close_codes.POLICY_VIOLATION, "A valid bearer token is required.")
            return
        connection = self._hub.register(auth, sock)
        if connection is None:
            protocol.close(close_codes.GOING_AWAY, "The server is stopping.")
            return
        try:
            self._read(request, connection, reader, protocol)
        finally:
            self._hub.leave(connection)

    def _check_path(self, target: str) -> None:
        path = target.partition("?")[0]
        if self._paths is not None and path not in self._paths:
            raise PylonError("NOT_FOUND", "There is no WebSocket at this address.")

    def _shake_hands(self, request: Request, reader: ReaderSocket, subprotocol: str | None) -> ServerProtocol:
        headers = request.headers
        try:
            return ServerProtocol(
                reader,
                headers.get("sec-websocket-key", ""),
                headers.get("sec-websocket-version", ""),
                subprotocol,
                self._limits.message_bytes_max,
                self._limits.relay_bytes_max,
            )
        except (ProtocolError, simple_websocket.ConnectionError, UnicodeError):
            raise PylonError(
                "BAD_REQUEST", "The WebSocket handshake is not one of version 13.", status=400
            ) from None

    def _read(
        self, request: Request, connection: Connection, reader: ReaderSocket, protocol: ServerProtocol
    ) -> None:
        """Serve what the client sends until either side has closed."""
        reader.transmit = partial(self._hub.reply, connection)
        reader.heard = partial(_stamp, connection, self._clock)
        # A session that ended between the first look and the registration was not found among the sockets to
        # close; a second look, after the registration, sees that it ended.
        if not self._is_still(request, connection.auth):
            self._hub.close(connection, close_codes.SERVICE_RESTART, "The session changed.")
        protocol.serve(partial(self._receive, connection, RelayAllowance(self._limits, self._clock)))

    def _is_still(self, request: Request, auth: AuthContext) -> bool:
        try:
            return self._authenticate(request).auth == auth
        except PylonError:
            return False

    def _receive(self, connection: Connection, allowance: RelayAllowance, text: str) -> None:
        if len(text) > self._limits.relay_bytes_max:
            return
        message = _message(text)
        kind = message.get("type")
        if not isinstance(kind, str) or not allowance.spend(len(text)):
            return
        if kind in RELAYED_TYPES:
            payload = relayed(message, connection.auth.user_id)
            if payload is not None:
                self._hub.relay(connection.auth.tenant_id, payload)
        elif (serve := self._messages.get(kind)) is not None:
            serve(connection, message)

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


def _message(text: str) -> dict[str, Any]:
    """Empty when it is none."""
    try:
        message = jsontext.decode(text)
    except PylonError:
        return {}
    return message if isinstance(message, dict) else {}


def _stamp(connection: Connection, clock: Clock) -> None:
    connection.heard = clock.monotonic()
