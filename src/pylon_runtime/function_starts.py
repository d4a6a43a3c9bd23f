"""Starting processes of functions and waiting until they are ready.

Only the supervisor's thread starts; any may call ``stop``. The condition of who owns it guards which process is
just starting.
"""

import threading
from collections.abc import Callable

import structlog

from pylon_core.clock import Clock
from pylon_runtime.function_child import FunctionChild
from pylon_runtime.function_launch import Launcher, Sources, StartFailed
from pylon_runtime.threads import join

HANDSHAKE_S = 10.0
CLOSE_S = 2.0
"""How long a child may take to end by itself once its stdin is closed, or once it is killed."""
SHORT_LIFE_S = 5.0
SHORT_LIVES_MAX = 3
"""After so many children in a row that ended sooner than that, before any call ran in them, starting another
counts as failing."""

_log = structlog.get_logger("pylon.functions")


class Member:
    """A child that became ready, with what the supervisor remembers of it."""

    def __init__(self, child: FunctionChild, born: float, sources: Sources) -> None:
        self.child = child
        self.runner = child.runner
        self.born = born
        self.sources = sources
        self.closed_at: float | None = None
        self.idle_since: float | None = None
        """Since when it is a lane that nobody waits for."""
        self.was_given_out = False
        """Whether a call may have run in it; what one does to its process is not the process's doing."""


class Starts:
    def __init__(
        self, launcher: Launcher, clock: Clock, changed: threading.Condition, on_ended: Callable[[], None]
    ) -> None:
        self._launcher = launcher
        self._clock = clock
        self._changed = changed
        self._on_ended = on_ended
        self._starting: FunctionChild | None = None
        self._is_stopped = False
        self._short_lives = 0

    def member(self) -> Member:
        """A child that is ready; one that does not become so is gone before this raises ``StartFailed``."""
        if self._short_lives > SHORT_LIVES_MAX:
            self._short_lives = SHORT_LIVES_MAX
            raise StartFailed("its processes end right after they start")
        sources = self._launcher.sources()
        child = self._launcher.launch(self._on_ended)
        with self._changed:
            self._starting = child
        problem = "the server is stopping" if self._is_stopped else child.runner.wait_until_ready(HANDSHAKE_S)
        with self._changed:
            self._starting = None
        if problem is not None:
            child.kill()
            join(child.threads, self._clock.monotonic() + CLOSE_S, self._clock)
            raise StartFailed(f"its process did not become ready: {problem}")
        _log.info("functions_process_ready", pid=child.pid, functions=len(child.runner.registry))
        return Member(child, self._clock.monotonic(), sources)

    def note_end(self, member: Member) -> None:
        """It was not asked to end."""
        lived_s = self._clock.monotonic() - member.born
        if lived_s >= SHORT_LIFE_S:
            self._short_lives = 0
        elif not member.was_given_out:
            self._short_lives += 1

    def forgive(self) -> None:
        """What runs from now on is not what failed before."""
        self._short_lives = 0

    def stop(self) -> None:
        """Start no more, nor go on with the one that is just starting; safe twice."""
        with self._changed:
            self._is_stopped = True
            starting = self._starting
        if starting is not None:
            starting.kill()
