"""A request body that is read from the connection while the request is handled, so that it need not fit in memory.

The thread that handles the request owns the connection and reads, without a turn while it waits. Bytes go through
the connection's parser, which frames them; a body that stalls, is too slow or breaks off raises.
"""

import socket

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_parser import RequestParser, StreamedBody
from pylon_runtime.http_writer import CONTINUE

RECV_BYTES = 256 << 10


class ArrivingBody:
    def __init__(
        self, body: StreamedBody, parser: RequestParser, sock: socket.socket, limits: ServerLimits, clock: Clock
    ) -> None:
        self._body = body
        self._parser = parser
        self._socket = sock
        self._limits = limits
        self._clock = clock
        self._started = clock.monotonic()
        self._moved = 0

    def read(self) -> bytes:
        """The next bytes; empty at the end. Raises REQUEST_TIMEOUT, PROTOCOL_ERROR or what the parser refuses."""
        body = self._body
        while not body.pieces:
            if body.is_complete:
                return b""
            if self._parser.failure is not None:
                raise self._parser.failure
            self._parser.feed(self._receive())
        return body.pieces.popleft()

    def _receive(self) -> bytes:
        timeout = self._patience()
        try:
            with blocking():
                self._socket.settimeout(timeout)
                if self._parser.expects_continue:
                    self._parser.expects_continue = False
                    self._socket.sendall(CONTINUE)
                data = self._socket.recv(RECV_BYTES)
        except TimeoutError:
            raise _too_slow() from None
        except OSError:
            data = b""
        finally:
            self._socket.settimeout(0.0)
        if not data:
            raise PylonError("PROTOCOL_ERROR", "The request ended before its body was complete.", status=400)
        self._moved += len(data)
        return data

    def _patience(self) -> float:
        """How long the next bytes may take."""
        now = self._clock.monotonic()
        left = self._limits.pace_deadline(self._started, self._moved, now) - now
        if left <= 0:
            raise _too_slow()
        return left


def _too_slow() -> PylonError:
    return PylonError("REQUEST_TIMEOUT", "The request did not arrive in time.", status=408)
