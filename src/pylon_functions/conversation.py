"""One call's talk with its child, from ``call`` to ``return``: say, hear, answer.

A call that is given up before its handler has ended (its transaction failed, or has to be done anew) leaves no
handler waiting: what it asked is refused, and its child is told. Used by one thread at a time: the caller's, or
for a mutation the thread that its transaction runs on.
"""

from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import Any

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions import protocol
from pylon_functions.runner import CallTimedOut, Mailbox, Runner, RunnerLost

_GIVEN_UP = PylonError("NOT_AVAILABLE", "The server gave this call up; it may have begun it anew.")


class Conversation:
    """Open for the body of a ``with``. ``deadline`` is on the clock's monotonic time."""

    __slots__ = ("_clock", "_heard", "_mailbox", "_parent", "call_id", "deadline", "runner")

    def __init__(
        self, runner: Runner, call_id: str, deadline: float, clock: Clock, parent: str | None = None
    ) -> None:
        self.runner = runner
        self.call_id = call_id
        self.deadline = deadline
        self._clock = clock
        self._parent = parent
        self._heard: protocol.CallFrame | None = None

    def __enter__(self) -> "Conversation":
        self._mailbox: Mailbox = self.runner.begin(self.call_id, parent=self._parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runner.end(self.call_id)
        if error is not None and not isinstance(error, CallTimedOut | RunnerLost):
            with suppress(CallTimedOut):  # the child reads nothing; whoever calls it next finds out
                self._give_up()

    @property
    def is_overdue(self) -> bool:
        return self._clock.monotonic() >= self.deadline

    def say(self, line: bytes) -> None:
        self.runner.send(line, self.deadline)

    def hear(self) -> protocol.CallFrame:
        """The next frame of the call. Raises ``CallTimedOut`` at the deadline, ``RunnerLost``."""
        if self._mailbox.empty():
            with blocking():
                frame = self._await()
        else:
            frame = self._mailbox.get()
        if frame is None:
            raise RunnerLost
        self._heard = frame
        return frame

    def answer(self, request: protocol.Request, data: Any) -> None:
        """``data`` is any JSON value, or a ``msgspec.Raw`` of one."""
        self.say(protocol.result_line(request, data))

    def refuse(self, request: protocol.Request, error: PylonError) -> None:
        self.say(protocol.refusal_line(request, error))

    def _give_up(self) -> None:
        """End the handler, unless it has ended by itself; the mailbox is closed already."""
        frame = self._heard
        while not isinstance(frame, protocol.Return | protocol.Failure):
            if isinstance(frame, protocol.Request):
                self.refuse(frame, _GIVEN_UP)
            if self._mailbox.empty():
                self.say(protocol.abandon_line(self.call_id))
                return
            frame = self._mailbox.get()

    def _await(self) -> protocol.CallFrame | None:
        try:
            return self._mailbox.get(timeout=max(0.0, self.deadline - self._clock.monotonic()))
        except Empty:
            raise CallTimedOut from None
