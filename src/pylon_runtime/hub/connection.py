"""One registered socket: its identity, its cursor into the log, and what the kernel has not taken yet.

From registration until it is let go the dispatcher alone writes to the socket and moves the state; the reader
thread reads from it, stamps ``heard`` and puts replies into ``outbox``, and waits for ``released`` before it
closes it, so a file descriptor is never written to after it was given to somebody else.

    OPEN ──close──> CLOSING ──reader ended──> LEAVING ──flushed or overdue──> GONE
      └──────────────reader ended────────────────^
"""

import enum
import socket
import threading
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING

from pylon_auth import NEVER_NS
from pylon_auth.context import AuthContext
from pylon_runtime.hub.wire import WEBSOCKET, Wire

if TYPE_CHECKING:
    from pylon_runtime.hub.audience import Audience


class ConnectionState(enum.Enum):
    OPEN = "open"
    """Events flow."""
    CLOSING = "closing"
    """Our close frame is sent or about to be; nothing follows it. The peer's answer is awaited."""
    LEAVING = "leaving"
    """The reader has ended; its last replies are on their way out."""
    GONE = "gone"
    """Let go: the dispatcher will not touch the socket again."""


class Connection:
    __slots__ = (
        "audience",
        "audience_key",
        "auth",
        "backlog",
        "backlog_bytes",
        "blocked_at",
        "blocked_since",
        "expires_ns",
        "farewell",
        "fd",
        "follows",
        "heard",
        "held",
        "holder",
        "number",
        "outbox",
        "position",
        "released",
        "sock",
        "state",
        "taken",
        "unsent",
        "wire",
    )

    audience: "Audience"
    """Set when the dispatcher takes the connection in."""

    def __init__(
        self,
        number: int,
        auth: AuthContext,
        audience_key: Hashable,
        sock: socket.socket,
        now: float,
        wire: Wire = WEBSOCKET,
        expires_ns: int = NEVER_NS,
        peer: str = "",
    ) -> None:
        self.number = number
        self.auth = auth
        is_somebody = auth.user_id is not None and not auth.is_guest
        self.holder: Hashable = ("user", auth.user_id) if is_somebody else ("address", peer)
        """Who answers for what it asks for, among all its connections. Anybody can be any number of guests, so
        these are taken together by their address."""
        self.wire = wire
        self.expires_ns = expires_ns
        """When its session ends by itself."""
        self.audience_key = audience_key
        self.sock = sock
        self.fd = sock.fileno()
        self.state = ConnectionState.OPEN
        self.position = 0
        """The log position to send next; means nothing while the connection is in step with its audience."""
        self.unsent: memoryview | None = None
        """What is left of a send that the kernel took in part; nothing else may be sent before it."""
        self.held = b""
        """All of that send, which is in memory until the kernel has taken the last of it."""
        self.blocked_at = now
        """When the kernel first took only a part of it."""
        self.taken = 0
        """How many bytes of it the kernel took since."""
        self.blocked_since = now
        """When the kernel last took a byte while some were unsent."""
        self.farewell: bytes | None = None
        """The last words, to be sent once ``unsent`` is."""
        self.outbox: deque[bytes] = deque()
        self.follows = True
        """Whether it is sent the change feed."""
        self.backlog: deque[bytes] = deque()
        """What feeds pushed while something was unsent."""
        self.backlog_bytes = 0
        self.heard = now
        self.released = threading.Lock()
        self.released.acquire()

    def take_replies(self) -> bytes:
        """One by one, since the reader may add to them meanwhile."""
        taken: list[bytes] = []
        while self.outbox:
            taken.append(self.outbox.popleft())
        return b"".join(taken)
