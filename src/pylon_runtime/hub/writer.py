"""Writing to sockets without ever waiting: what the kernel does not take at once is kept, and follows when it can.

    free --(it takes a part)--> blocked --(it has taken the rest)--> free
    either --(the socket fails)--> broken

What is kept of all connections together is counted (``held``). Apart from the dispatcher, which decides what is
sent to whom and hears what becomes of it: this knows neither the log nor the states of connections. The
dispatcher's thread alone calls it.
"""

import errno
import selectors
import socket
from collections.abc import Callable, Collection

from pylon_core.clock import Clock
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.prompt_io import send_now
from pylon_runtime.hub.unsent import UnsentBytes


class SocketWriter:
    def __init__(
        self,
        bell_fd: int,
        clock: Clock,
        *,
        on_blocked: Callable[[Connection], None],
        on_free: Callable[[Connection], None],
        on_broken: Callable[[Connection], None],
    ) -> None:
        """What it calls, it calls from within its own methods."""
        self._clock = clock
        self._on_blocked = on_blocked
        self._on_free = on_free
        self._on_broken = on_broken
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell_fd, selectors.EVENT_READ)
        self.blocked: set[Connection] = set()
        self.held = UnsentBytes()

    def wait(self, seconds: float | None) -> None:
        """Until the bell rings or blocked sockets can take more, which they are sent; at most so long."""
        for key, _ in self._selector.select(seconds):
            if key.data is not None:
                self._send_rest(key.data)

    def write(self, connection: Connection, data: bytes) -> bool:
        """Only to one that is free. False when the kernel did not take it all."""
        sent = send_now(connection.fd, data)
        if sent == len(data):
            return True
        self._keep_rest(connection, data, sent)
        return False

    def write_to_all(self, connections: Collection[Connection], data: bytes) -> None:
        """As ``write``. ``connections`` may change as soon as one is told to be blocked or broken."""
        size = len(data)
        short = [
            (connection, sent) for connection in connections if (sent := send_now(connection.fd, data)) != size
        ]
        for connection, sent in short:
            self._keep_rest(connection, data, sent)

    def keep_back(self, connection: Connection, frame: bytes) -> None:
        """Have a frame wait until ``write_backlog``."""
        connection.backlog.append(self.held.hold(frame))
        connection.backlog_bytes += len(frame)

    def write_backlog(self, connection: Connection) -> None:
        """Only to one that is free."""
        frames = b"".join(connection.backlog)
        self.forget_backlog(connection)
        self.write(connection, frames)

    def forget_backlog(self, connection: Connection) -> None:
        for frame in connection.backlog:
            self.held.give_back(frame)
        connection.backlog.clear()
        connection.backlog_bytes = 0

    def abandon(self, connection: Connection) -> None:
        """Send nothing of what is unsent."""
        if connection.unsent is not None:
            connection.unsent = None
            self.held.give_back(connection.held)
            connection.held = b""
            self.blocked.discard(connection)
            self._selector.unregister(connection.sock)

    def burdens(self) -> list[tuple[Connection, float]]:
        """The blocked connections, each with about how many bytes of memory it answers for; most first, of equal
        ones those that have been blocked for longest."""
        burdens = [(each, self.held.share(each.held) + each.backlog_bytes) for each in self.blocked]
        return sorted(burdens, key=lambda burden: (-burden[1], burden[0].blocked_at))

    def close(self) -> None:
        self._selector.close()

    def _keep_rest(self, connection: Connection, data: bytes, sent: int) -> None:
        if sent < 0 and sent != -errno.EAGAIN:
            self._on_broken(connection)
            return
        connection.held = self.held.hold(data)
        connection.unsent = memoryview(connection.held)[max(sent, 0) :]
        connection.taken = 0
        connection.blocked_at = connection.blocked_since = self._clock.monotonic()
        self.blocked.add(connection)
        self._selector.register(connection.sock, selectors.EVENT_WRITE, connection)
        self._on_blocked(connection)

    def _send_rest(self, connection: Connection) -> None:
        assert connection.unsent is not None
        try:
            sent = connection.sock.send(connection.unsent, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            self._on_broken(connection)
            return
        connection.unsent = connection.unsent[sent:]
        connection.taken += sent
        connection.blocked_since = self._clock.monotonic()
        if not connection.unsent:
            self.abandon(connection)
            self._on_free(connection)
