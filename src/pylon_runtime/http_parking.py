"""Where connections are between requests: one epoll set, the listeners in it, and a sweep for deadlines.

A connection is registered once, edge-triggered, so serving a request costs no ``epoll_ctl``. Any thread may
call any method; what is polled comes back owned by the caller (``HttpConnection.owner``), who ends its
ownership with ``park``, ``close`` or ``take_out``.
"""

import contextlib
import errno
import os
import select
import socket
import threading

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_runtime.http_connection import HttpConnection, Site, Step
from pylon_runtime.http_handler import Handler, UpgradeHandler

_log = structlog.get_logger(__name__)

_EDGE_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_EDGE_WRITE = select.EPOLLOUT | select.EPOLLET
_HUNG_UP = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

_EVENTS_MAX = 256
_ACCEPTS_MAX = 64
"""Connections accepted in one go, so that a storm of new ones does not hold up those that wait."""

_TICK_S = 0.5
"""How often deadlines are looked at and the Date header is made; a deadline is met this much late at most."""

_REFUSALS_MAX = 128
"""Connections beyond the bound that are kept until they have read their 503; more are closed unanswered."""

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """A listening socket and who answers what comes in through it."""

    __slots__ = ("handle", "socket", "upgrade")

    def __init__(self, sock: socket.socket, handle: Handler, upgrade: UpgradeHandler) -> None:
        self.socket = sock
        self.handle = handle
        self.upgrade = upgrade


class Parking:
    def __init__(self, site: Site, clock: Clock) -> None:
        self._site = site
        self._clock = clock
        self._epoll = select.epoll()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._alarm, select.EPOLLIN)
        self._listeners: dict[int, Listener] = {}
        self._connections: dict[int, HttpConnection] = {}
        self._accepting = True
        self._next_tick = 0.0
        self.now = clock.monotonic()
        """The time of the latest poll: near enough for deadlines of seconds."""
        self.empty = threading.Event()
        """Set when a connection left and none remains."""

    def __len__(self) -> int:
        return len(self._connections)

    def poll(self) -> list[HttpConnection]:
        """Connections with something to do, owned by the caller. Accepts, and keeps the clock, on the way."""
        return self._claim(self._epoll.poll(0, _EVENTS_MAX))

    def wait(self) -> list[HttpConnection]:
        """As ``poll``, but not before something happened, or a deadline may have passed."""
        timeout = _TICK_S if self._connections or not self._accepting else None
        return self._claim(self._epoll.poll(timeout, _EVENTS_MAX))

    def park(self, connection: HttpConnection, step: Step) -> bool:
        """End the caller's ownership; false when something came in the meantime and the caller owns it still."""
        if step is not connection.watching:
            connection.watching = step
            self._epoll.modify(connection.fd, _EDGE_READ if step is Step.READ else _EDGE_WRITE)
        return self._release(connection)

    def _release(self, connection: HttpConnection) -> bool:
        connection.owner.release()
        # The polling thread sets ``edge`` and then tries to own; here it is the other way round. So whichever
        # comes second sees the other, and an arrival is never left to nobody.
        return not (connection.edge and connection.owner.acquire(blocking=False))

    def close(self, connection: HttpConnection) -> None:
        """The connection is over. It stays owned, so nobody will touch it again."""
        self._forget(connection)
        connection.close()

    def take_out(self, connection: HttpConnection) -> None:
        """The socket goes on without the server."""
        self._epoll.unregister(connection.fd)
        self._forget(connection)

    def admit(self, listener: Listener, sock: socket.socket, peer: str) -> list[HttpConnection]:
        """Take in an accepted socket; what is returned has something to do already, as in ``poll``."""
        excess = len(self._connections) - self._site.limits.connections_max
        if self._site.draining or excess >= _REFUSALS_MAX:
            sock.close()
            return []
        sock.settimeout(0.0)
        connection = HttpConnection(self._site, listener.handle, listener.upgrade, sock, peer, self.now)
        if excess >= 0:
            connection.refuse(PylonError("NOT_AVAILABLE", "The server has too many connections."))
        self._connections[connection.fd] = connection
        self._epoll.register(connection.fd, _EDGE_READ)
        return [connection] if excess >= 0 and connection.owner.acquire(blocking=False) else []

    def listen(self, listener: Listener) -> None:
        fd = listener.socket.fileno()
        self._listeners[fd] = listener
        self._epoll.register(fd, select.EPOLLIN)

    def stop_listening(self) -> None:
        """Close the listeners. A poll under way may still accept; ``claim_all`` finds what it did."""
        for fd in list(self._listeners):
            listener = self._listeners.pop(fd)
            self._epoll.unregister(fd)
            listener.socket.close()

    def claim_all(self) -> list[HttpConnection]:
        """Every parked connection, owned by the caller."""
        return [c for c in list(self._connections.values()) if c.owner.acquire(blocking=False)]

    def cut_all(self) -> None:
        """Break every connection: those being served fail at their next read or write."""
        for connection in list(self._connections.values()):
            if connection.owner.acquire(blocking=False):
                self.close(connection)
            else:
                with contextlib.suppress(OSError):  # it may have ended by itself
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def wake(self) -> None:
        """End every poll that waits, from now on."""
        os.eventfd_write(self._alarm, 1)

    def dispose(self) -> None:
        """Release the epoll set, after the last thread that polls has ended."""
        self._epoll.close()
        os.close(self._alarm)

    def _forget(self, connection: HttpConnection) -> None:
        # Before the descriptor is closed: its number may be a new connection's a moment later.
        if self._connections.get(connection.fd) is connection:
            del self._connections[connection.fd]
        if not self._connections:
            self.empty.set()

    def _claim(self, events: list[tuple[int, int]]) -> list[HttpConnection]:
        self.now = now = self._clock.monotonic()
        claimed: list[HttpConnection] = []
        connections = self._connections
        for fd, mask in events:
            connection = connections.get(fd)
            if connection is None:
                if fd in self._listeners:
                    self._accept(self._listeners[fd], claimed)
                continue
            if mask & _HUNG_UP:
                connection.hung_up = True
            connection.edge = True
            if connection.owner.acquire(blocking=False):
                claimed.append(connection)
        if now >= self._next_tick:
            self._tick(now, claimed)
        return claimed

    def _accept(self, listener: Listener, claimed: list[HttpConnection]) -> None:
        for _ in range(_ACCEPTS_MAX):
            try:
                sock, address = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    self._pause_accepting(error)
                    return
                continue  # that client has gone, or the listener has: then the next call says so too
            claimed += self.admit(listener, sock, address[0])

    def _pause_accepting(self, error: OSError) -> None:
        """Out of descriptors or memory: leave new clients in the backlog until the next tick."""
        _log.error("accept_paused", connections=len(self._connections), reason=error.strerror)
        self._accepting = False
        for fd in list(self._listeners):
            self._epoll.modify(fd, 0)

    def _tick(self, now: float, claimed: list[HttpConnection]) -> None:
        self._next_tick = now + _TICK_S
        self._site.writer.refresh_date()
        if not self._accepting:
            self._accepting = True
            for fd in list(self._listeners):
                self._epoll.modify(fd, select.EPOLLIN)
        for connection in list(self._connections.values()):
            if connection.deadline < now and connection.owner.acquire(blocking=False):
                if connection.deadline < now:
                    connection.expire()
                    self.close(connection)
                elif not self._release(connection):
                    claimed.append(connection)
