"""Which port and which path leads to which kind of socket.

    P      WebSockets at ``SYNC_PATHS``; event streams at ``/events`` and ``/api/sync/events``
    P+1    WebSockets at any path
    P+2    event streams, whatever is asked; before one, a browser may ask the gateway which headers it may send

Made once when the server starts; what it makes may be called by any thread.
"""

from collections.abc import Callable

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import Request
from pylon_runtime.config import EXTRA_PORTS
from pylon_runtime.http_handler import Handler, Takeover
from pylon_runtime.hub import (
    SYNC_PATHS,
    EventStreamEndpoint,
    Hub,
    WebSocketEndpoint,
    asks_for_stream,
)
from pylon_runtime.server import PylonServer
from pylon_runtime.socket_auth import SocketAuthenticator


class Sockets:
    """Each listener counts its own sockets."""

    def __init__(
        self,
        hub: Hub,
        authenticator: SocketAuthenticator,
        peer_of: Callable[[Request], str],
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._peer_of = peer_of
        self._clock = clock

    def on_main_port(self) -> WebSocketEndpoint:
        return self._websockets(SYNC_PATHS)

    def streams_before(self, answer: Handler) -> Handler:
        """``answer``, but for requests that ask for the event stream."""
        stream = Takeover(self._streams())
        return lambda request: stream if asks_for_stream(request) else answer(request)

    def listen_on_extra_ports(self, server: PylonServer, host: str, answer: Handler) -> None:
        """Raises what ``add_listener`` raises."""
        streams = self._streams()
        stream = Takeover(streams)
        try:
            server.add_listener(host, server.port + 1, answer, self._websockets(None))
            server.add_listener(
                host,
                server.port + 2,
                lambda request: answer(request) if _is_preflight(request) else stream,
                streams,
            )
        except PylonError as error:
            raise PylonError(
                error.code,
                error.message,
                hint=f"Older clients look for sockets there. {EXTRA_PORTS.name}=0 does without.",
            ) from error

    def _websockets(self, paths: frozenset[str] | None) -> WebSocketEndpoint:
        return WebSocketEndpoint(
            self._hub,
            self._authenticator.upgrade,
            self._peer_of,
            self._hub.limits,
            self._clock,
            paths,
        )

    def _streams(self) -> EventStreamEndpoint:
        return EventStreamEndpoint(
            self._hub, self._authenticator.stream, self._peer_of, self._hub.limits, self._clock
        )


def _is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers
