"""Answers that are more than bytes in memory.

Without an end in sight: server-sent events, streamed function results. The server writes the head and hands the
socket over; from then on the connection is the receiver's, as an upgraded one is. One thread at a time may use a
``ResponseStream``.

Of a known size, but too large to be kept: files. Whoever sends asks the source for piece after piece, as the
client takes them, so a slow client costs no thread.
"""

import socket
from collections.abc import Callable
from typing import Protocol

from pylon_http import Response


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk of a chunked body: the same bytes serve every connection of ``chunked`` streams."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ResponseStream:
    """The body of an answer being written.

    ``socket`` blocks, with a timeout, and is the holder's to close. ``chunked`` is false for an
    HTTP/1.0 client, whose body ends where the connection ends.
    """

    __slots__ = ("chunked", "socket")

    def __init__(self, sock: socket.socket, *, chunked: bool) -> None:
        self.socket = sock
        self.chunked = chunked

    def write(self, data: bytes) -> None:
        """Send ``data`` now, waiting for a slow client; raises ``OSError`` when it is gone or too slow."""
        if data:
            self.socket.sendall(chunk(data) if self.chunked else data)

    def close(self) -> None:
        """End the body and the connection. A stream that breaks off instead is told apart by its missing end."""
        try:
            if self.chunked:
                self.socket.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # the client left first
        finally:
            self.socket.close()


class StreamResponse(Response, frozen=True, kw_only=True):
    """An answer whose body ``start`` writes; ``body`` is its first part.

    ``start`` runs on a thread without a turn, may keep the stream after it returned, and owns closing it.
    """

    start: Callable[[ResponseStream], None]


class BodySource(Protocol):
    """A body being sent, by one thread at a time."""

    def read(self) -> bytes:
        """The next piece of it; empty at the end. May wait; ``OSError`` when the rest is not to be had."""

    def close(self) -> None:
        """Safe twice."""


class SourcedResponse(Response, frozen=True, kw_only=True):
    """An answer whose body comes from what ``open`` gives; ``body`` is empty.

    Whoever sends it opens, and closes, unless only the head is wanted. ``open`` may wait; raises ``PylonError``.
    """

    open: Callable[[], BodySource]


class LiveResponse(SourcedResponse, frozen=True, kw_only=True):
    """One whose body is not there yet: what there is goes out at once, on a thread of its own."""


class SizedResponse(SourcedResponse, frozen=True, kw_only=True):
    """One of ``size`` bytes; of any other it is not known how much there will be."""

    size: int


def send_live(head: bytes, source: BodySource, stream: ResponseStream) -> None:
    """Send all that a source gives, waiting for it and for the client; it and the stream are closed at the end."""
    try:
        stream.socket.sendall(head)
        while piece := source.read():
            stream.write(piece)
    except OSError:
        stream.socket.close()  # the end is missing, which tells the client
    else:
        stream.close()
    finally:
        source.close()


class ChunkedSource:
    """A body as chunks, whose end shows that it is complete."""

    __slots__ = ("_ended", "_source")

    def __init__(self, source: BodySource) -> None:
        self._source = source
        self._ended = False

    def read(self) -> bytes:
        if self._ended:
            return b""
        piece = self._source.read()
        self._ended = not piece
        return chunk(piece)

    def close(self) -> None:
        self._source.close()
