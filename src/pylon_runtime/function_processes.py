"""The processes behind the functions of one language: enough of them, alive, and running the newest code.

The threads that call functions look at who serves (``pick``), report who is stuck (``replace``), and have calls
that may end a process or keep it from moving run apart from the others (``isolated``). What becomes of each
process is for the ``Supervisor``; while it has none to offer and knows why, callers are told at once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions.endings import KeptOut, OutOfTime
from pylon_functions.registry import FileProblem, Registry
from pylon_functions.runner import Runner
from pylon_functions.workers import Turn
from pylon_runtime.function_launch import Launcher
from pylon_runtime.function_quarantine import Suspect
from pylon_runtime.function_roles import Roles
from pylon_runtime.function_starts import CLOSE_S
from pylon_runtime.function_supervisor import Supervisor
from pylon_runtime.threads import join, spawn


class FunctionProcesses:
    """Keeps ``workers`` children serving and one spare; none while there is nothing to run. Any thread may call
    its methods."""

    def __init__(self, launcher: Launcher, workers: int, clock: Clock) -> None:
        self._language = launcher.language.name
        self._clock = clock
        self._roles = Roles()
        self._changed = self._roles.changed
        self._supervisor = Supervisor(launcher, workers, clock, self._roles)
        self._thread: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the app has no functions in this language."""
        return self._roles.is_idle

    def pick(self, deadline: float) -> Runner:
        """The open runner with the fewest calls; waits for one that is just starting. Raises as ``Workers.pick``
        does."""
        member = self._roles.least_loaded()
        if member is None:
            with blocking(), self._changed:
                self._changed.wait_for(self._roles.is_decided, self._left_s(deadline))
                member, problem = self._roles.least_loaded(), self._roles.problem
            if member is None and problem is None:
                raise PylonError("RUNNER_NOT_STARTED", "The function runtime did not start in time.")
            if member is None:
                raise self._not_available(problem)
        member.was_given_out = True
        return member.runner

    @contextmanager
    def isolated(self, deadline: float, turn: Turn) -> Iterator[Runner]:
        """As ``Workers.isolated``."""
        roles, suspect = self._roles, Suspect(turn)
        with self._changed:
            if turn is Turn.KNOWN and roles.quarantine.is_crowded():
                raise KeptOut
            roles.quarantine.enter(suspect)
            roles.announce()
        try:
            with blocking(), self._changed:
                self._changed.wait_for(
                    lambda: roles.problem is not None or suspect.runner is not None, self._left_s(deadline)
                )
                runner, problem = suspect.runner, roles.problem
            if runner is None:
                message = "Others kept the function's process too long; it could not be run again in time."
                raise OutOfTime(message) if problem is None else self._not_available(problem)
            yield runner
        finally:
            with self._changed:
                spoilt = roles.quarantine.leave(suspect)
                if spoilt is not None and spoilt not in roles.leaving:
                    roles.leaving.append(spoilt)
                roles.announce()
            if spoilt is not None:  # nobody else is in it
                spoilt.child.kill()

    def blame(self, runner: Runner) -> None:
        """As ``Workers.blame``; nothing is done about another's."""
        with self._changed:
            if runner in self._roles.unmoving:
                self._roles.cleared.add(runner)
                self._changed.notify_all()

    def is_cleared(self, runner: Runner, deadline: float) -> bool:
        """As ``Workers.is_cleared``; true of another's."""
        roles = self._roles
        with blocking(), self._changed:
            return self._changed.wait_for(
                lambda: roles.is_stopping or runner not in roles.unmoving or runner in roles.cleared,
                self._left_s(deadline),
            )

    def replace(self, runner: Runner) -> None:
        """A handler of this one did not answer in time; nothing is done about another's."""
        with self._changed:
            self._roles.set_stuck(runner)
            self._roles.announce()

    def registry(self) -> Registry:
        serving = self._roles.serving
        return serving[0].runner.registry if serving else {}

    def problems(self) -> tuple[FileProblem, ...]:
        serving = self._roles.serving
        return serving[0].runner.problems if serving else ()

    def await_decided(self, deadline: float) -> None:
        """Wait until functions are served, or it is known why not."""
        with self._changed:
            self._changed.wait_for(self._roles.is_decided, self._left_s(deadline))

    # Life

    def start(self) -> None:
        with self._changed:
            if self._thread is None and not self._roles.is_stopping:
                self._roles.problem = None
                self._thread = spawn("pylon-functions-supervisor", self._supervisor.run)

    def reload(self, deadline: float) -> None:
        """Serve the code as it is now; calls under way finish on the old one. Returns once it serves.

        Raises PylonError RUNNER_NOT_STARTED when it does not start; the old code then goes on serving.
        """
        roles = self._roles
        with self._changed:
            roles.generation_wanted += 1
            wanted = roles.generation_wanted
            self._supervisor.forgive()
            roles.announce()
            self._changed.wait_for(
                lambda: roles.is_stopping or max(roles.generation, roles.generation_failed) >= wanted,
                self._left_s(deadline),
            )
            if roles.generation < wanted:
                raise PylonError("RUNNER_NOT_STARTED", "The changed functions did not start.")

    def stop(self, deadline: float) -> None:
        """Let calls under way finish, end every child, kill those that have not ended at the deadline."""
        with self._changed:
            self._roles.is_stopping = True
            self._roles.problem = "is not running: the server is stopping"
            self._roles.announce()
        self._supervisor.stop_starting()
        if self._thread is not None:
            self._supervisor.settled.wait(self._left_s(deadline + CLOSE_S))
        with self._changed:
            members = [*self._roles.take_away(), *self._roles.leaving, *self._roles.stuck]
        for member in members:
            member.runner.retire()
        with self._changed:
            self._changed.wait_for(
                lambda: all(member.child.has_ended for member in members), self._left_s(deadline)
            )
        for member in members:
            member.child.kill()
        threads = [thread for member in members for thread in member.child.threads]
        join(threads, deadline + CLOSE_S, self._clock)
        self._supervisor.children_ended.set()
        if self._thread is not None:
            join([self._thread], deadline + CLOSE_S, self._clock)

    def _left_s(self, deadline: float) -> float:
        return max(0.0, deadline - self._clock.monotonic())

    def _not_available(self, problem: str | None) -> PylonError:
        reason = str(problem).removesuffix(".")
        return PylonError("FUNCTIONS_NOT_AVAILABLE", f"{self._language} function runtime {reason}.")
