"""One child process as the host sees it: many calls at once over one channel.

    starting --ready--> open --retire--> retiring --last call closed--> ended
        any of them --the process is gone--> ended

The thread that reads the child calls ``feed`` and ``lost``; every other method may be called by any thread.
``feed`` hands each frame to the mailbox of its call, and the thread that made the call takes it from there, or
its attendant answers at once, so calls never wait for each other here. The lock guards the state and the map of
mailboxes.
"""

import enum
import itertools
import threading
from queue import Empty
from typing import Protocol

import structlog

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import Clock
from pylon_core.turns import blocking
from pylon_functions import protocol
from pylon_functions.endings import CallTimedOut, RunnerClosed, RunnerLost
from pylon_functions.lines import LineSplitter
from pylon_functions.mailbox import FRAMES_MAX, Gone, Mailbox, Unsent
from pylon_functions.registry import FileProblem, FunctionDefinition, FunctionKind, Registry, usable

PROBE_S = 0.5
"""How long a child may take to show that it still moves."""
STRAYS_MAX = 1000
ANSWERED_BYTES_MAX = 1 << 16
"""What attendants answered goes out together, but not more than a pipe holds."""

_PROBE = FunctionDefinition("/probe", FunctionKind.QUERY)

log = structlog.get_logger("pylon.functions")


class Channel(Protocol):
    """The way to a child. Any thread may call it; once the child is gone, both calls do nothing."""

    def send(self, line: bytes, deadline: float) -> None:
        """Write one line, and what ``offer`` left. Raises ``CallTimedOut`` when the child does not take it before
        the deadline."""

    def offer(self, lines: bytes) -> bool:
        """Write lines without waiting; false when some of it is left for the next ``send``."""

    @property
    def is_clear(self) -> bool:
        """Whether the child has taken all that was written."""

    def close(self) -> None:
        """Say that nothing will follow; the child then ends by itself."""


class _State(enum.Enum):
    STARTING = enum.auto()
    OPEN = enum.auto()
    RETIRING = enum.auto()
    ENDED = enum.auto()


class Runner:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lines = LineSplitter()
        self._answered: list[bytes] = []  # not sent yet; this and the next two are the reading thread's
        self._answered_calls: set[str] = set()
        self._answered_bytes = 0
        self._lock = threading.Lock()
        self._state = _State.STARTING
        self._mailboxes: dict[str, Mailbox] = {}
        self._strays: set[str] = set()
        self._probes = itertools.count()
        self._ended_in_order = False
        self._started = threading.Event()
        self._start_error: str | None = "it ended before it was ready"
        self.registry: Registry = {}
        self.problems: tuple[FileProblem, ...] = ()

    @property
    def load(self) -> int:
        """How many calls are under way."""
        return len(self._mailboxes)

    @property
    def is_open(self) -> bool:
        return self._state is _State.OPEN

    @property
    def is_over(self) -> bool:
        """Nothing is under way and nothing will be; the process may still be ending."""
        return self._state is _State.ENDED

    @property
    def has_strays(self) -> bool:
        """Whether handlers may be at work in it that no call waits for any more."""
        return bool(self._strays)

    def wait_until_ready(self, timeout_s: float) -> str | None:
        """Wait for the child's ``ready``; what went wrong, or ``None``."""
        if not self._started.wait(timeout_s):
            return f"it was not ready within {timeout_s:g} s"
        return self._start_error

    def begin(self, call_id: str, mailbox: Mailbox, *, parent: str | None = None) -> None:
        """Let the frames of a call go to a mailbox. Raises ``RunnerClosed``.

        A call made on behalf of ``parent`` is let in as long as that one is under way, even by a runner that
        is retiring; ``RunnerLost`` when it is not any more.
        """
        with self._lock:
            if parent is None and self._state is not _State.OPEN:
                raise RunnerClosed
            if parent is not None and parent not in self._mailboxes:
                raise RunnerLost
            self._mailboxes[call_id] = mailbox

    def end(self, call_id: str) -> None:
        """The call is over: later frames of it are ignored."""
        with self._lock:
            self._mailboxes.pop(call_id, None)
        self._close_if_done()

    def give_up(self, call_id: str) -> bool:
        """The call is over, its handler is not: it is a stray until the child says how it ended.

        Whether no other handler was at work. A call and those made on its behalf share a mailbox: they are one.
        """
        with self._lock:
            mailbox = self._mailboxes.pop(call_id, None)
            was_alone = not self._strays and all(other is mailbox for other in self._mailboxes.values())
            if (
                len(self._strays) < STRAYS_MAX
            ):  # so many hide no other: the set is not empty, which is all that counts
                self._strays.add(call_id)
        self._close_if_done()
        return was_alone

    def has_ended(self, call_id: str) -> None:
        """The handler of a call that was given up has ended all the same."""
        self._strays.discard(call_id)

    def send(self, line: bytes, deadline: float) -> None:
        try:
            self._channel.send(line, deadline)
        except CallTimedOut:
            self._tell_unsent()
            raise

    def retire(self) -> None:
        """Take no new calls; let those under way finish, then close the channel."""
        with self._lock:
            if self._state is _State.OPEN:
                self._state = _State.RETIRING
        self._close_if_done()

    def responds(self, clock: Clock) -> bool:
        """Whether the child still moves: it is asked for a function that no app can have. One that ended because
        it was asked to did."""
        mailbox = Mailbox()
        call_id = f"{_PROBE.name}-{next(self._probes)}"
        with self._lock:
            if self._state is _State.ENDED:
                return self._ended_in_order
            self._mailboxes[call_id] = mailbox
        try:
            with blocking():
                self.send(protocol.call_line(call_id, _PROBE, {}, ANONYMOUS), clock.monotonic() + PROBE_S)
                mail = mailbox.take(PROBE_S)
                while isinstance(mail, Unsent):
                    self.send(b"", clock.monotonic() + PROBE_S)
                    mail = mailbox.take(PROBE_S)
                return not isinstance(mail, Gone)
        except (CallTimedOut, Empty):
            return False
        finally:
            self.end(call_id)

    def feed(self, chunk: bytes) -> None:
        """Whatever the child wrote."""
        for line in self._lines.push(chunk):
            if line:
                self._take(line)
        if self._answered:
            self._send_answers()

    def lost(self) -> None:
        """The child is gone: everybody who waits for it is told."""
        with self._lock:
            self._state = _State.ENDED
            waiting = list(self._mailboxes.items())
            self._mailboxes.clear()
        for call_id, mailbox in waiting:
            mailbox.put_last(Gone(call_id))
        self._started.set()

    def _take(self, line: bytes) -> None:
        frame = protocol.decode(line)
        if frame is None:
            log.warning("function_output_skipped", line_bytes=len(line))
        elif isinstance(frame, protocol.Ready):
            self._ready(frame)
        else:
            self._deliver(frame, len(line))

    def _ready(self, frame: protocol.Ready) -> None:
        with self._lock:
            if self._state is not _State.STARTING:
                return
            self._start_error = None if frame.error is None else "it cannot read the functions folder"
            if frame.error is None:
                self.registry, unusable = usable(frame.functions)
                self.problems = (*frame.problems, *unusable)
                self._state = _State.OPEN
        self._started.set()

    def _deliver(self, frame: protocol.CallFrame, size: int) -> None:
        mailbox = self._mailboxes.get(frame.call_id)
        if mailbox is None:
            if isinstance(frame, protocol.Return | protocol.Failure):
                self.has_ended(frame.call_id)
            return
        answer = mailbox.answer(frame) if self._channel.is_clear else None
        if answer is not None:
            self._answered.append(answer)
            self._answered_calls.add(frame.call_id)
            self._answered_bytes += len(answer)
            if self._answered_bytes >= ANSWERED_BYTES_MAX:
                self._send_answers()
            return
        if frame.call_id in self._answered_calls:  # whose thread is not to be ahead with what it answers
            self._send_answers()
        if mailbox.offer(frame, size):
            return
        with self._lock:
            self._mailboxes.pop(frame.call_id, None)
        message = f"The function said more than {FRAMES_MAX} things at once, or streams faster than it is heard."
        mailbox.put_last(protocol.Failure(frame.call_id, "PROTOCOL_ERROR", message))

    def _send_answers(self) -> None:
        """What attendants answered, in one piece. Where the child does not take it all, its calls wait with it."""
        lines, self._answered, self._answered_bytes = b"".join(self._answered), [], 0
        self._answered_calls.clear()
        if not self._channel.offer(lines):
            self._tell_unsent()

    def _tell_unsent(self) -> None:
        """Lines lie in the channel that nobody is sending, and whose they are is not known: all are told."""
        with self._lock:
            waiting = list(self._mailboxes.items())
        for call_id, mailbox in waiting:
            mailbox.put_last(Unsent(call_id))

    def _close_if_done(self) -> None:
        with self._lock:
            done = self._state is _State.RETIRING and not self._mailboxes
            if done:
                self._state = _State.ENDED
                self._ended_in_order = True
        if done:
            self._channel.close()
