"""Whether the other end of a connection is still there, found out by asking the kernel and without reading.

A client that closes its connection, or its sending half, is gone: whoever sits behind a proxy is told apart by
what the proxy does, and the common ones close too. Bytes nobody has read yet, such as the next request, mean
nothing. Any thread may ask, also one that does not own the connection.
"""

import select
import socket

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Presence:
    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def is_gone(self) -> bool:
        fd = self._sock.fileno()
        if fd < 0:
            return True
        poll = select.poll()
        poll.register(fd, _GONE)
        return bool(poll.poll(0))
