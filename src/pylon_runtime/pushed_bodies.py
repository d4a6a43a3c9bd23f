"""Answers whose bodies come when there is something to say, as the server sends them.

Each has two threads. One makes it (``stream-<n>``), the other sends, and waits for both. Between them lies a
``Pipe``, bounded: who makes more than the client takes waits for it, but for little in all, since it may be in the
middle of a transaction; then it is told so. While nothing comes a comment is sent now and then, so that proxies
keep the connection.

Any thread may call ``PushedBodies``; ``PushedBodies._changed`` guards which bodies there are. ``Pipe._changed``
guards what lies in one and is held for no longer than copying that takes.
"""

import itertools
import threading
from collections.abc import Callable

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_http import PushedResponse, Request, Response
from pylon_runtime.http_stream import BodySource, LiveResponse
from pylon_runtime.threads import join, spawn

BODIES_MAX = 1000
UNSENT_BYTES_MAX = 4 << 20
PATIENCE_S = 2.0
"""How long whoever makes a body waits for its client in all."""
PIECE_BYTES_MAX = 64 << 10
"""What is sent at once, and must go within the server's ``progress_timeout_s``."""
HEARTBEAT_S = 15.0
"""Half of the shortest time after which common proxies cut a quiet connection."""

_HEARTBEAT = b": keep-alive\n\n"
_HEADERS = (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"))

_log = structlog.get_logger(__name__)


class PushedBodies:
    def __init__(self, clock: Clock, *, heartbeat_s: float = HEARTBEAT_S, patience_s: float = PATIENCE_S) -> None:
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._patience_s = patience_s
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._makers: dict[Pipe, threading.Thread | None] = {}

    def answer(self, pushed: PushedResponse, request: Request) -> Response:
        """Nothing is made before the answer is opened, which raises NOT_AVAILABLE when there are too many."""
        return LiveResponse(
            200, b"", pushed.content_type, _HEADERS, open=lambda: self._open(pushed, request.is_gone)
        )

    def stop(self, deadline: float) -> None:
        """Let those end that do so by then, and the others as if their clients had gone; safe twice."""
        with self._changed:
            self._changed.wait_for(lambda: not self._makers, max(0.0, deadline - self._clock.monotonic()))
            left = list(self._makers.items())
        for pipe, _ in left:
            pipe.close()
        join([maker for _, maker in left if maker is not None], deadline, self._clock)

    def _open(self, pushed: PushedResponse, is_gone: Callable[[], bool] | None) -> BodySource:
        pipe = Pipe(self._clock, self._heartbeat_s, self._patience_s, is_gone, self._note_end)
        with self._changed:
            if len(self._makers) >= BODIES_MAX:
                raise PylonError("NOT_AVAILABLE", "Too many answers are being streamed.")
            self._makers[pipe] = None
        maker = spawn(f"stream-{next(self._numbers)}", lambda: _make(pushed, pipe))
        with self._changed:
            if pipe in self._makers:
                self._makers[pipe] = maker
        return pipe

    def _note_end(self, pipe: "Pipe") -> None:
        with self._changed:
            self._makers.pop(pipe, None)
            self._changed.notify_all()


def _make(pushed: PushedResponse, pipe: "Pipe") -> None:
    try:
        last = pushed.make(pipe)
    except Exception:  # noqa: BLE001 - the top of the thread; a body that breaks off shows it
        _log.exception("answer_broken_off")
        pipe.break_off()
    else:
        pipe.end(last)


class Pipe:
    """One body on its way: an ``Outlet`` for the thread that makes it, a ``BodySource`` for the one that sends.

    ``on_end`` is called once neither of them has anything left to do.
    """

    def __init__(
        self,
        clock: Clock,
        heartbeat_s: float,
        patience_s: float,
        is_peer_gone: Callable[[], bool] | None,
        on_end: Callable[["Pipe"], None],
    ) -> None:
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._patience_left_s = patience_s
        self._is_peer_gone = is_peer_gone
        self._on_end = on_end
        self._changed = threading.Condition()
        self._unsent = bytearray()
        self._is_made = False
        self._is_broken = False
        self._is_closed = False

    def write(self, piece: bytes) -> bool:
        with self._changed:
            if not self._has_room(piece) and not self._await_room(piece):
                return False
            self._put(piece)
            return True

    def is_gone(self) -> bool:
        return self._is_closed or (self._is_peer_gone is not None and self._is_peer_gone())

    def end(self, last: bytes) -> None:
        """The body is complete with this piece, for which there is always room."""
        with self._changed:
            self._is_made = True
            self._put(last)
            is_over = self._is_closed
        if is_over:
            self._on_end(self)

    def break_off(self) -> None:
        self._is_broken = True
        self.end(b"")

    def read(self) -> bytes:
        with blocking(), self._changed:
            if not self._changed.wait_for(self._has_news, self._heartbeat_s):
                return _HEARTBEAT
            if self._is_broken:
                raise ConnectionAbortedError("The rest of the answer cannot be made.")
            piece = bytes(self._unsent[:PIECE_BYTES_MAX])
            del self._unsent[: len(piece)]
            self._changed.notify_all()
            return piece

    def close(self) -> None:
        """Nobody takes any more; safe twice."""
        with self._changed:
            is_first, self._is_closed = not self._is_closed, True
            self._unsent.clear()
            self._changed.notify_all()
            is_over = is_first and self._is_made
        if is_over:
            self._on_end(self)

    def _put(self, piece: bytes) -> None:
        if not self._is_closed:
            self._unsent += piece
        self._changed.notify_all()

    def _has_room(self, piece: bytes) -> bool:
        return len(self._unsent) + len(piece) <= UNSENT_BYTES_MAX or not self._unsent

    def _await_room(self, piece: bytes) -> bool:
        begun = self._clock.monotonic()
        with blocking():
            has_room = self._changed.wait_for(lambda: self._has_room(piece), self._patience_left_s)
        self._patience_left_s = max(0.0, self._patience_left_s - (self._clock.monotonic() - begun))
        return has_room

    def _has_news(self) -> bool:
        return bool(self._unsent) or self._is_made or self._is_closed
