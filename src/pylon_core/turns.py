"""Turns: how many threads compute at once, and how a thread steps aside while it waits.

A server that runs many threads under one interpreter lock is fastest when only a few of them want the lock. The
server lends each computing thread one of a few *turns*; code on any floor wraps each wait (a commit, a function's
reply, a network call) in ``with blocking():``, which gives the turn back for that time. On a thread that holds no
turn, ``blocking`` costs nothing and does nothing, so lower floors need not know whether a server is there. A
thread that mostly waits, as the reader of a socket does, goes the other way: it holds none, and computes inside
``with computing():``.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Protocol


class Turn(Protocol):
    """What a server lends a thread; called only by that thread, ``promise`` aside."""

    def release(self) -> None: ...

    def acquire(self) -> None: ...

    def promise(self, gate: threading.Lock) -> None:
        """Open ``gate`` as soon as there is a turn, which is then taken for the thread behind it."""

    def granted(self) -> None:
        """The thread has come through the gate: the turn that was taken for it is its own."""


Lender = Callable[[], AbstractContextManager[None]]
"""Has the calling thread hold a turn during the body, waiting for one first."""


class _Held(threading.local):
    turn: Turn | None = None
    lender: Lender | None = None


_held = _Held()


def hold(turn: Turn | None) -> None:
    """Say which turn the calling thread computes under (``None``: none any more)."""
    _held.turn = turn


def borrow_from(lender: Lender | None) -> None:
    """Say where the calling thread, which holds no turn, gets one when it has something to compute."""
    _held.lender = lender


@contextmanager
def computing() -> Iterator[None]:
    """Compute during the body under a turn, on a thread that holds none. Does nothing where there is no lender."""
    if _held.lender is None or _held.turn is not None:
        yield
    else:
        with _held.lender():
            yield


class blocking:  # noqa: N801 - reads as a statement: ``with blocking():``
    """Give the calling thread's turn back while the body waits. May be nested."""

    __slots__ = ("_turn",)

    def __enter__(self) -> None:
        self._turn = _held.turn
        if self._turn is not None:
            _held.turn = None
            self._turn.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn is not None:
            self._turn.acquire()
            _held.turn = self._turn


class Awaited:
    """What the thread that makes it waits for and another announces, once.

    An event inside ``blocking`` would wake the thread twice, for the news and for its turn; where many wait for
    the same thing they would all run for the interpreter lock at once. Here each sleeps until there is a turn
    for it.
    """

    __slots__ = ("_gate", "_turn")

    def __init__(self) -> None:
        self._turn = _held.turn
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self) -> None:
        """Step aside until it is announced."""
        turn = self._turn
        if turn is None:
            self._gate.acquire()
            return
        _held.turn = None
        turn.release()
        self._gate.acquire()
        turn.granted()
        _held.turn = turn

    def announce(self) -> None:
        """Let the thread go on, with its turn."""
        if self._turn is None:
            self._gate.release()
        else:
            self._turn.promise(self._gate)
