"""One call's talk with its child, from ``call`` to ``return``: say, hear, answer.

While a call waits for one that it made, the two share a mailbox, and the nested one passes on what the other's
handler says: what that streams goes out at once, what it asks is kept until its turn comes.

A call that is given up before its handler has ended (its transaction failed, or has to be done anew, or nobody
wants its answer) leaves no handler waiting: what it asked is refused, and its child is told. Used by one thread
at a time: the caller's, or for a mutation the thread that its transaction runs on; and while that one waits, for
what takes no time, the thread that reads the child.
"""

from collections import deque
from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import Any

from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions import protocol
from pylon_functions.endings import CallerGone, CallTimedOut, Flooded, OutOfTime, RunnerLost
from pylon_functions.invocation import Invocation
from pylon_functions.mailbox import FRAMES_MAX, Attendant, Gone, Mail, Mailbox, Unsent
from pylon_functions.protocol import CallFrame, Failure, Request, Return, Stream
from pylon_functions.runner import Runner
from pylon_functions.traces import Trace

LOOK_S = 0.25
"""How often a call that waits looks whether anybody still wants its answer."""
ABANDON_S = 0.25
"""How long a child may take to accept that a call is given up."""

_GIVEN_UP = PylonError("NOT_AVAILABLE", "The server gave this call up; it may have begun it anew.")


class Conversation:
    """Open for the body of a ``with``. ``deadline`` is on the clock's monotonic time."""

    __slots__ = (
        "_clock",
        "_heard",
        "_is_gone",
        "_kept",
        "_listener",
        "_look_at",
        "_mailbox",
        "_outer",
        "call_id",
        "deadline",
        "runner",
        "trace",
    )

    def __init__(
        self,
        runner: Runner,
        call_id: str,
        deadline: float,
        clock: Clock,
        trace: Trace,
        wanted: Invocation,
        outer: "Conversation | None" = None,
    ) -> None:
        self.runner = runner
        self.call_id = call_id
        self.deadline = deadline
        self.trace = trace
        self._clock = clock
        self._listener = wanted.listener
        self._is_gone = wanted.is_gone
        self._outer = outer
        self._look_at = clock.monotonic() + LOOK_S
        self._heard: Mail | None = None  # and not answered yet
        self._kept: deque[Mail] = deque()
        self._mailbox: Mailbox = Mailbox() if outer is None else outer._mailbox

    def __enter__(self) -> "Conversation":
        outer = self._outer
        parent = outer.call_id if outer is not None and outer.runner is self.runner else None
        self.runner.begin(self.call_id, self._mailbox, parent=parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(self._heard, Return | Failure):
            self.runner.end(self.call_id)
        else:
            was_alone = self.runner.give_up(self.call_id)
            if (
                isinstance(error, CallTimedOut) and error.was_alone is None
            ):  # else it is of a call made for this one
                error.was_alone = was_alone
            with suppress(CallTimedOut):  # the child reads nothing; whoever calls it next finds out
                self._give_up()

    def say(self, line: bytes) -> None:
        self.runner.send(line, self.deadline)

    def hear(self, attendant: Attendant | None = None) -> Request | Return | Failure:
        """The next frame of the call that is neither for its listener nor for the attendant, who is left behind
        while there is none. Raises ``CallEnded``."""
        if attendant is not None:
            attendant = self._own_frames(attendant)
        while True:
            if self._kept:
                mail = self._kept.popleft()
            elif self._mailbox.empty():
                with blocking():
                    mail = self._await(attendant)
            else:
                mail = self._mailbox.take()
            if mail.call_id != self.call_id:
                self._pass_on(mail)
            elif isinstance(mail, Stream):
                self._stream(mail)
            elif isinstance(mail, Gone):
                raise RunnerLost
            elif isinstance(mail, Unsent):
                self.runner.send(b"", self.deadline)
            else:
                self._heard = mail
                return mail

    def check_time(self, now: float) -> None:
        """Raises ``OutOfTime`` when waiting for the database took all the time there was."""
        if now >= self.deadline:
            raise OutOfTime("The database was too busy to run the function in time.")

    def answer(self, request: Request, data: Any) -> None:
        """``data`` is any JSON value, or a ``msgspec.Raw`` of one."""
        self._heard = None
        self.say(protocol.result_line(request, data))

    def refuse(self, request: Request, error: PylonError) -> None:
        self._heard = None
        self.say(protocol.refusal_line(request, error))

    def _own_frames(self, attendant: Attendant) -> Attendant:
        def attend(frame: CallFrame) -> bytes | None:
            return attendant(frame) if frame.call_id == self.call_id else None

        return attend

    def _await(self, attendant: Attendant | None) -> Mail:
        now = self._clock.monotonic()
        while True:
            left_s = self.deadline - now
            wait_s = left_s if self._is_gone is None else min(left_s, self._look(now))
            with suppress(Empty):
                return self._mailbox.take(max(0.0, wait_s), attendant)
            if wait_s == left_s:
                raise CallTimedOut
            now = self._clock.monotonic()

    def _look(self, now: float) -> float:
        """Ask whether the caller is gone, when it is time; the seconds until it is again."""
        if now >= self._look_at:
            if self._is_gone is not None and self._is_gone():
                raise CallerGone
            self._look_at = now + LOOK_S
        return self._look_at - now

    def _stream(self, frame: Stream) -> None:
        if self._clock.monotonic() >= self.deadline:
            raise CallTimedOut
        text = frame.data if isinstance(frame.data, str) else jsontext.encode(frame.data).decode()
        self.trace.streamed(text)
        if self._listener is not None:
            self._listener(text, frame.event if isinstance(frame.event, str) else None)
            if self._clock.monotonic() >= self.deadline:
                raise OutOfTime("The caller took too long to hear what the function streams.")

    def _pass_on(self, mail: Mail) -> None:
        """Give a frame to the call on whose behalf this one was made; any other is of a call that is over."""
        outer = self._outer
        if outer is None or mail.call_id != outer.call_id:
            return
        if isinstance(mail, Stream):
            outer._stream(mail)
        else:
            outer._keep(mail)
            if isinstance(mail, Gone):
                raise RunnerLost

    def _keep(self, mail: Mail) -> None:
        if len(self._kept) >= FRAMES_MAX:
            raise Flooded
        self._kept.append(mail)

    def _give_up(self) -> None:
        """End the handler, unless it ends by itself; nothing of the call comes into the mailbox any more."""
        said = [self._heard, *self._kept, *self._unheard()]
        if any(isinstance(mail, Return | Failure) for mail in said):
            self.runner.has_ended(self.call_id)
            return
        deadline = self._clock.monotonic() + ABANDON_S
        for mail in said:
            if isinstance(mail, Request):
                self.runner.send(protocol.refusal_line(mail, _GIVEN_UP), deadline)
        self.runner.send(protocol.abandon_line(self.call_id), deadline)

    def _unheard(self) -> list[Mail]:
        """What is left of the call in the mailbox; what is not its own is kept for the outer call."""
        own: list[Mail] = []
        while not self._mailbox.empty():
            mail = self._mailbox.take()
            if mail.call_id == self.call_id:
                own.append(mail)
            elif self._outer is not None and mail.call_id == self._outer.call_id:
                self._outer._kept.append(mail)
        return own
