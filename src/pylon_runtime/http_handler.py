"""What the HTTP server asks of the application: a handler of requests, and the answers it may give.

Handlers are called on worker threads, any number at once.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pylon_http import Request, Response


class BegunAnswer(Protocol):
    """An answer that comes later."""

    def start(self, deliver: Callable[[Callable[[], Response]], None]) -> None:
        """Begin; ``deliver`` is called once, by any thread, with what makes the response."""


UpgradeHandler = Callable[[Request, socket.socket, bytes], None]
"""Takes a connection over; the bytes are those read behind the request."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """An answer that is given by whoever takes the connection over, as after an upgrade."""

    taker: UpgradeHandler


Handler = Callable[[Request], Response | BegunAnswer | Takeover]
