"""One call's talk with its child, from ``call`` to ``return``: say, hear, answer.

Used by one thread at a time: the caller's, or for a mutation the thread that its transaction runs on.
"""

from queue import Empty
from types import TracebackType
from typing import Any

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions import protocol
from pylon_functions.runner import CallTimedOut, Mailbox, Runner, RunnerLost


class Conversation:
    """Open for the body of a ``with``. ``deadline`` is on the clock's monotonic time."""

    __slots__ = ("_clock", "_mailbox", "_parent", "call_id", "deadline", "runner")

    def __init__(
        self, runner: Runner, call_id: str, deadline: float, clock: Clock, parent: str | None = None
    ) -> None:
        self.runner = runner
        self.call_id = call_id
        self.deadline = deadline
        self._clock = clock
        self._parent = parent

    def __enter__(self) -> "Conversation":
        self._mailbox: Mailbox = self.runner.begin(self.call_id, parent=self._parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runner.end(self.call_id)

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
        return frame

    def answer(self, request: protocol.Request, data: Any) -> None:
        """``data`` is any JSON value, or a ``msgspec.Raw`` of one."""
        self.say(protocol.result_line(request, data))

    def refuse(self, request: protocol.Request, error: PylonError) -> None:
        self.say(protocol.refusal_line(request, error))

    def _await(self) -> protocol.CallFrame | None:
        try:
            return self._mailbox.get(timeout=max(0.0, self.deadline - self._clock.monotonic()))
        except Empty:
            raise CallTimedOut from None
