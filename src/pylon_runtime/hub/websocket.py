"""The sync WebSocket endpoint: from an upgrade request to the end of the socket (contract 05 §6).

Beyond ``endpoint``: a missing or failed credential is answered with 101 and a close frame, as clients expect.
What a client asks for is served one request after the other, on the connection's reader thread, which computes
under a turn like any worker and reads nothing meanwhile; so one connection never has two requests under way.
Pages cannot see the pings of the protocol: they send one as a message, and are answered.
"""

import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import simple_websocket  # type: ignore[import-untyped]  # the package has no type information
from wsproto.utilities import ProtocolError

from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import computing
from pylon_http import Request
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.endpoint import SocketEndpoint
from pylon_runtime.hub.feeds import MessageHandler
from pylon_runtime.hub.frames import text_frame
from pylon_runtime.hub.hub import Hub
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.pace import RequestPace
from pylon_runtime.hub.protocol import ReaderSocket, ServerProtocol
from pylon_runtime.hub.relay import RELAYED_TYPES, RelayAllowance, relayed
from pylon_runtime.hub.wire import WEBSOCKET

SYNC_PATHS = frozenset({"/", "/ws", "/api/sync/ws"})
"""Where the main port takes sync sockets; the extra port takes them anywhere."""

_PONG = text_frame(b'{"type":"pong"}')


class WebSocketEndpoint(SocketEndpoint):
    def __init__(
        self,
        hub: Hub,
        authenticate: Callable[[Request], SocketIdentity],
        peer_of: Callable[[Request], str],
        limits: HubLimits,
        clock: Clock,
        paths: frozenset[str] | None,
    ) -> None:
        """``paths`` ``None`` accepts every path."""
        super().__init__(hub, authenticate, peer_of, limits, clock)
        self._paths = paths

    def _serve(self, request: Request, sock: socket.socket, buffered: bytes, identity: SocketIdentity) -> None:
        self._check_path(request.target)
        reader = ReaderSocket(sock, buffered)
        protocol = self._shake_hands(request, reader, identity.subprotocol)
        auth = identity.auth
        if auth is None or auth.user_id is None:
            protocol.close(close_codes.POLICY_VIOLATION, "A valid bearer token is required.")
            return
        connection = self._register(request, auth, identity.expires_ns, sock, WEBSOCKET)
        if connection is None:
            protocol.close(close_codes.GOING_AWAY, "The server is stopping.")
            return
        try:
            self._read(connection, reader, protocol)
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
                self._limits.text_chars_max,
            )
        except (ProtocolError, simple_websocket.ConnectionError, UnicodeError):
            raise PylonError(
                "BAD_REQUEST", "The WebSocket handshake is not one of version 13.", status=400
            ) from None

    def _read(self, connection: Connection, reader: ReaderSocket, protocol: ServerProtocol) -> None:
        """Serve what the client sends until either side has closed."""
        reader.transmit = partial(self._hub.reply, connection)
        reader.heard = partial(_stamp, connection, self._clock)
        allowance = RelayAllowance(self._limits, self._clock)
        pace = RequestPace(self._limits, self._clock)
        protocol.serve(partial(self._receive, connection, allowance, pace))

    def _receive(self, connection: Connection, allowance: RelayAllowance, pace: RequestPace, text: str) -> None:
        if len(text) > self._limits.text_chars_max:
            self._ask(connection, pace, self._hub.refusals, jsontext.leading_texts(text))
            return
        message = _message(text)
        kind = message.get("type")
        if not isinstance(kind, str):
            return
        if kind in RELAYED_TYPES:
            self._relay(connection, allowance, message, len(text))
        elif kind == "ping":
            self._hub.reply(connection, _PONG)
        else:
            self._ask(connection, pace, self._hub.messages, message)

    def _ask(
        self,
        connection: Connection,
        pace: RequestPace,
        handlers: Mapping[str, MessageHandler],
        message: Mapping[str, Any],
    ) -> None:
        serve = handlers.get(message.get("type", ""))
        if serve is None:
            return
        time.sleep(pace.wait_s())
        if connection.state is ConnectionState.OPEN:
            with computing():
                serve(connection, message)

    def _relay(
        self, connection: Connection, allowance: RelayAllowance, message: Mapping[str, Any], size: int
    ) -> None:
        payload = relayed(message, connection.auth.user_id) if allowance.spend(size) else None
        if payload is not None:
            self._hub.relay(connection.auth.tenant_id, payload)


def _message(text: str) -> dict[str, Any]:
    """Empty when it is none."""
    try:
        message = jsontext.decode(text)
    except PylonError:
        return {}
    return message if isinstance(message, dict) else {}


def _stamp(connection: Connection, clock: Clock) -> None:
    connection.heard = clock.monotonic()
