"""The processes behind the functions of one language: enough of them, alive, and running the newest code.

    start --ready--> spare --a place is free--> serving --reload, or a stuck handler--> leaving --> ended
                       ready --a suspect waits--> lane --no more suspects, or the one to blame--> leaving
      any of them --crash--> ended

One thread, the supervisor, starts processes and gives them their roles; a spare that is already warm takes the
place of one that fell out, so neither a crash nor a stuck handler costs callers a start-up. The threads that call
functions only look at who serves (``pick``) and report who is stuck (``replace``). A start that fails is tried
again, later and later up to half a minute; until then callers are told at once why there are no functions.

A suspect is a call that may have kept its process from moving. Such calls go to processes that are apart from
those that serve (``isolated``, ``Quarantine``), each alone in one.

``_changed`` guards the roles and tells of their changes; no process is started, ended or spoken to under it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions.endings import OutOfTime
from pylon_functions.registry import FileProblem, Registry
from pylon_functions.runner import Runner
from pylon_runtime.function_launch import Launcher, NothingToRun, StartFailed
from pylon_runtime.function_quarantine import Quarantine, Suspect
from pylon_runtime.function_starts import CLOSE_S, Member, Starts
from pylon_runtime.threads import join, spawn

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 30.0

_log = structlog.get_logger("pylon.functions")


class FunctionProcesses:
    """Keeps ``workers`` children serving and one spare; none while there is nothing to run. Any thread may call
    its methods."""

    def __init__(self, launcher: Launcher, workers: int, clock: Clock) -> None:
        self._launcher = launcher
        self._workers = workers
        self._clock = clock
        self._changed = threading.Condition()
        self._starts = Starts(launcher, clock, self._changed, self._note_end)
        self._serving: tuple[Member, ...] = ()
        self._spare: Member | None = None
        self._quarantine = Quarantine()
        self._leaving: list[Member] = []
        self._stuck: list[Member] = []
        self._unmoving: WeakSet[Runner] = WeakSet()
        """Those that were ended because they did not move any more."""
        self._cleared: WeakSet[Runner] = WeakSet()
        """Those of them of which it is known by which call."""
        self._generation = 0
        self._generation_wanted = 1
        self._generation_failed = 0
        self._failures = 0
        self._retry_at = 0.0
        self._problem: str | None = "it was not started"
        self.is_idle = False
        """Whether the app has no functions in this language."""
        self._reason_logged: str | None = None
        self._has_news = False
        self._stopping = False
        self._settled = threading.Event()
        """The supervisor starts no more processes."""
        self._children_ended = threading.Event()
        self._thread: threading.Thread | None = None

    # What callers of functions see

    def pick(self, deadline: float) -> Runner:
        """The open runner with the fewest calls; waits for one that is just starting. Raises as ``Workers.pick``
        does."""
        runner = self._least_loaded()
        if runner is not None:
            return runner
        with blocking(), self._changed:
            self._changed.wait_for(self._is_decided, max(0.0, deadline - self._clock.monotonic()))
            runner, problem = self._least_loaded(), self._problem
        if runner is not None:
            return runner
        if problem is None:
            raise PylonError("RUNNER_NOT_STARTED", "The function runtime did not start in time.")
        raise self._not_available(problem)

    @contextmanager
    def isolated(self, deadline: float, *, is_brief: bool) -> Iterator[Runner]:
        """As ``Workers.isolated``."""
        suspect = Suspect(is_brief=is_brief)
        try:
            with blocking(), self._changed:
                self._quarantine.enter(suspect)
                self._announce()
                self._changed.wait_for(
                    lambda: self._problem is not None or suspect.runner is not None,
                    max(0.0, deadline - self._clock.monotonic()),
                )
                runner, problem = suspect.runner, self._problem
            if runner is None:
                message = "Others kept the function's process too long; it could not be run again in time."
                raise OutOfTime(message) if problem is None else self._not_available(problem)
            yield runner
        finally:
            with self._changed:
                spoilt = self._quarantine.leave(suspect)
                if spoilt is not None and spoilt not in self._leaving:
                    self._leaving.append(spoilt)
                self._announce()
            if spoilt is not None:  # nobody else is in it
                spoilt.child.kill()

    def blame(self, runner: Runner) -> None:
        """As ``Workers.blame``; nothing is done about another's."""
        with self._changed:
            if runner in self._unmoving:
                self._cleared.add(runner)
                self._changed.notify_all()

    def is_cleared(self, runner: Runner, deadline: float) -> bool:
        """As ``Workers.is_cleared``; true of another's."""
        with blocking(), self._changed:
            return self._changed.wait_for(
                lambda: self._stopping or runner not in self._unmoving or runner in self._cleared,
                max(0.0, deadline - self._clock.monotonic()),
            )

    def replace(self, runner: Runner) -> None:
        """A handler of this one did not answer in time; nothing is done about another's."""
        with self._changed:
            stuck = [member for member in (*self._members(), *self._leaving) if member.runner is runner]
            self._serving = tuple(member for member in self._serving if member.runner is not runner)
            self._leaving = [member for member in self._leaving if member.runner is not runner]
            for lane in stuck:
                self._quarantine.close(lane)
            self._stuck += stuck
            self._announce()

    def registry(self) -> Registry:
        serving = self._serving
        return serving[0].runner.registry if serving else {}

    def problems(self) -> tuple[FileProblem, ...]:
        serving = self._serving
        return serving[0].runner.problems if serving else ()

    def await_decided(self, deadline: float) -> None:
        """Wait until functions are served, or it is known why not."""
        with self._changed:
            self._changed.wait_for(self._is_decided, max(0.0, deadline - self._clock.monotonic()))

    # Life

    def start(self) -> None:
        with self._changed:
            if self._thread is None and not self._stopping:
                self._problem = None
                self._thread = spawn("pylon-functions-supervisor", self._supervise)

    def reload(self, deadline: float) -> None:
        """Serve the code as it is now; calls under way finish on the old one. Returns once it serves.

        Raises PylonError RUNNER_NOT_STARTED when it does not start; the old code then goes on serving.
        """
        with self._changed:
            self._generation_wanted += 1
            wanted = self._generation_wanted
            self._failures = 0
            self._starts.forgive()
            self._retry_at = 0.0
            self._announce()
            self._changed.wait_for(
                lambda: self._stopping or max(self._generation, self._generation_failed) >= wanted,
                max(0.0, deadline - self._clock.monotonic()),
            )
            if self._generation < wanted:
                raise PylonError("RUNNER_NOT_STARTED", "The changed functions did not start.")

    def stop(self, deadline: float) -> None:
        """Let calls under way finish, end every child, kill those that have not ended at the deadline."""
        with self._changed:
            self._stopping = True
            self._problem = "the server is stopping"
            self._announce()
        self._starts.stop()
        if self._thread is not None:
            self._settled.wait(max(0.0, deadline + CLOSE_S - self._clock.monotonic()))
        with self._changed:
            members = [*self._members(), *self._leaving, *self._stuck]
            self._empty()
        for member in members:
            member.runner.retire()
        with self._changed:
            left_s = max(0.0, deadline - self._clock.monotonic())
            self._changed.wait_for(lambda: all(member.child.has_ended for member in members), left_s)
        for member in members:
            member.child.kill()
        threads = [thread for member in members for thread in member.child.threads]
        join(threads, deadline + CLOSE_S, self._clock)
        self._children_ended.set()
        if self._thread is not None:
            join([self._thread], deadline + CLOSE_S, self._clock)

    # The supervisor

    def _supervise(self) -> None:
        try:
            while not self._stopping:
                pause_s = self._tend_safely()
                with self._changed:
                    self._changed.wait_for(lambda: self._has_news or self._stopping, pause_s)
                    self._has_news = False
        finally:
            self._settled.set()
        # Its children die with the thread that started them (``dying_with_parent``), so it stays to their end.
        self._children_ended.wait()

    def _tend_safely(self) -> float | None:
        try:
            return self._tend()
        except Exception:  # noqa: BLE001 - the top of the thread, which callers and children depend on
            _log.exception("functions_supervisor_failed")
            failure = StartFailed("they failed to start; the server's log says why")
            return self._note_failure(failure, self._generation_wanted)

    def _tend(self) -> float | None:
        """One round: part with the dead and the stuck, fill their places. Seconds until the next one, if
        nothing happens before."""
        self._drop_ended()
        self._dismiss_stuck()
        self._end_closed()
        early_s = self._retry_at - self._clock.monotonic()
        if early_s > 0:
            return early_s
        wanted = self._generation_wanted
        self._say_problem(None)
        try:
            self._fill(wanted)
        except NothingToRun as nothing:
            self._rest(wanted, str(nothing))
            return BACKOFF_MAX_S
        except StartFailed as failure:
            return self._note_failure(failure, wanted)
        self._failures = 0
        self._reason_logged = None
        return CLOSE_S if self._leaving else None

    def _drop_ended(self) -> None:
        with self._changed:
            ended = [member for member in self._members() if member.child.has_ended]
            self._serving = tuple(member for member in self._serving if member not in ended)
            if self._spare in ended:
                self._spare = None
            for lane in ended:
                self._quarantine.close(lane)
            self._leaving = [member for member in self._leaving if not member.child.has_ended]
        for member in ended:
            _log.warning("functions_process_ended", pid=member.child.pid)
            self._starts.note_end(member)

    def _dismiss_stuck(self) -> None:
        self._promote_spare()
        with self._changed:
            stuck, self._stuck = self._stuck, []
            self._leaving += stuck
        for member in stuck:
            # One hanging handler does not make a bad child: when the others still run, they may finish.
            if member.runner.responds(self._clock):
                member.runner.retire()
            else:
                self._unmoving.add(member.runner)
                member.child.kill()
            _log.warning("functions_process_replaced", pid=member.child.pid)

    def _end_closed(self) -> None:
        """Kill those that were asked to end and did not."""
        now = self._clock.monotonic()
        for member in self._leaving:
            if member.closed_at is None:
                member.closed_at = now if member.runner.is_over else None
            elif now - member.closed_at >= CLOSE_S:
                member.child.kill()

    def _fill(self, wanted: int) -> None:
        if wanted != self._generation:
            self._renew(wanted)
        self._promote_spare()
        while len(self._serving) < self._workers:
            self._serve_with(self._starts.member())
        if not self._fill_lanes() and self._spare is None:
            self._spare = self._starts.member()

    def _fill_lanes(self) -> bool:
        """Open a lane for suspects, or part with those that nobody waits for; whether one was opened. Only one at
        a time: meanwhile other processes may have got stuck."""
        with self._changed:
            idle = self._quarantine.idle()
            for lane in idle:
                self._quarantine.close(lane)
            needs_lane = self._quarantine.needs_lane()
        self._part_with(idle)
        if needs_lane:
            lane = self._starts.member()
            with self._changed:
                self._quarantine.open(lane)
                self._announce()
        return needs_lane

    def _renew(self, wanted: int) -> None:
        """Put a whole new set in the place of those that serve, none of which stops before."""
        fresh: list[Member] = []
        try:
            while len(fresh) < self._workers:
                fresh.append(self._starts.member())
        except BaseException:
            self._part_with(fresh)
            raise
        with self._changed:
            old = self._members()
            self._empty()
            self._serving = tuple(fresh)
            self._generation = wanted
            self.is_idle = False
            self._changed.notify_all()
        self._part_with(old)

    def _rest(self, wanted: int, reason: str) -> None:
        """Part with all children: the app has nothing for them any more."""
        with self._changed:
            old = self._members()
            self._empty()
            self._generation = wanted
            self._problem, self.is_idle = reason, True
            self._changed.notify_all()
        self._part_with(old)

    def _promote_spare(self) -> None:
        spare = self._spare
        if spare is None or len(self._serving) >= self._workers:
            return
        self._spare = None
        if spare.sources == self._launcher.sources():
            self._serve_with(spare)
        else:
            self._part_with([spare])

    def _note_failure(self, failure: StartFailed, wanted: int) -> float:
        pause_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0**self._failures)
        self._failures += 1
        if wanted == self._generation_wanted:  # else a reload has come in between, which must not wait
            self._retry_at = self._clock.monotonic() + pause_s
        self._generation_failed = wanted
        self._say_problem(str(failure))
        if not self._stopping and str(failure) != self._reason_logged:
            self._reason_logged = str(failure)  # once: an app without functions fails every half minute
            _log.warning("functions_not_started", reason=self._reason_logged)
        return pause_s

    def _part_with(self, members: list[Member]) -> None:
        with self._changed:
            self._leaving += members
        for member in members:
            member.runner.retire()

    def _serve_with(self, member: Member) -> None:
        with self._changed:
            self.is_idle = False
            self._serving = (*self._serving, member)
            self._changed.notify_all()

    def _say_problem(self, problem: str | None) -> None:
        with self._changed:
            if not self._stopping:
                self._problem = problem
            self._changed.notify_all()

    # Small things

    def _least_loaded(self) -> Runner | None:
        runners = [member.runner for member in self._serving if member.runner.is_open]
        return min(runners, key=lambda runner: runner.load, default=None)

    def _is_decided(self) -> bool:
        return self._problem is not None or self._least_loaded() is not None

    def _members(self) -> list[Member]:
        spare = [] if self._spare is None else [self._spare]
        return [*self._serving, *spare, *self._quarantine.lanes]

    def _empty(self) -> None:
        """Take all roles away."""
        self._serving, self._spare = (), None
        self._quarantine.clear()

    def _not_available(self, problem: str) -> PylonError:
        language, reason = self._launcher.language.name, problem.removesuffix(".")
        return PylonError("FUNCTIONS_NOT_AVAILABLE", f"{language} function runtime is not configured: {reason}.")

    def _note_end(self) -> None:
        with self._changed:
            self._announce()

    def _announce(self) -> None:
        self._has_news = True
        self._changed.notify_all()
