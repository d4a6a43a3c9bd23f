"""The processes behind the functions of one language: enough of them, alive, and running the newest code.

    start --ready--> spare --a place is free--> serving --reload, or a stuck handler--> leaving --> ended
                       spare --a suspect waits--> apart --no more suspects, or the one to blame--> leaving
      any of them --crash--> ended

One thread, the supervisor, starts processes and gives them their roles; a spare that is already warm takes the
place of one that fell out, so neither a crash nor a stuck handler costs callers a start-up. The threads that call
functions only look at who serves (``pick``) and report who is stuck (``replace``). A start that fails is tried
again, later and later up to half a minute; until then callers are told at once why there are no functions.

A suspect is a call that may have kept its process from moving. Such calls go, in the order they came, to a process
that is apart from those that serve (``isolated``), one at a time.

``_changed`` guards the roles and tells of their changes; no process is started, ended or spoken to under it.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_functions.endings import OutOfTime
from pylon_functions.registry import FileProblem, Registry
from pylon_functions.runner import Runner
from pylon_runtime.function_child import FunctionChild
from pylon_runtime.function_launch import Launcher, NothingToRun, Sources, StartFailed
from pylon_runtime.threads import join, spawn

HANDSHAKE_S = 10.0
CLOSE_S = 2.0
"""How long a child may take to end by itself once its stdin is closed."""
BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 30.0
SHORT_LIFE_S = 5.0
SHORT_LIVES_MAX = 3
"""After so many children in a row that ended sooner than that, starting another counts as failing."""

_log = structlog.get_logger("pylon.functions")


class _Member:
    """A child with what the supervisor remembers of it."""

    def __init__(self, child: FunctionChild, born: float, sources: Sources) -> None:
        self.child = child
        self.runner = child.runner
        self.born = born
        self.sources = sources
        self.closed_at: float | None = None


class FunctionProcesses:
    """Keeps ``workers`` children serving and one spare; none while there is nothing to run. Any thread may call
    its methods."""

    def __init__(self, launcher: Launcher, workers: int, clock: Clock) -> None:
        self._launcher = launcher
        self._workers = workers
        self._clock = clock
        self._changed = threading.Condition()
        self._serving: tuple[_Member, ...] = ()
        self._spare: _Member | None = None
        self._apart: _Member | None = None
        self._suspects: deque[object] = deque()
        """Who waits for the process apart; the first has it, if there is one."""
        self._starting: FunctionChild | None = None
        self._leaving: list[_Member] = []
        self._stuck: list[_Member] = []
        self._generation = 0
        self._generation_wanted = 1
        self._generation_failed = 0
        self._failures = 0
        self._retry_at = 0.0
        self._short_lives = 0
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
    def isolated(self, deadline: float) -> Iterator[Runner]:
        """As ``Workers.isolated``."""
        suspect = object()
        try:
            with blocking(), self._changed:
                self._suspects.append(suspect)
                self._announce()
                self._changed.wait_for(
                    lambda: self._problem is not None or self._given_to(suspect) is not None,
                    max(0.0, deadline - self._clock.monotonic()),
                )
                runner, problem = self._given_to(suspect), self._problem
            if runner is None:
                message = "Others kept the function's process too long; it could not be run again in time."
                raise OutOfTime(message) if problem is None else self._not_available(problem)
            yield runner
        finally:
            with self._changed:
                given = self._given_to(suspect)
                self._suspects.remove(suspect)
                self._announce()
            if given is not None and given.has_strays:
                self.replace(given)

    def replace(self, runner: Runner) -> None:
        """A handler of this one did not answer in time; nothing is done about another's."""
        with self._changed:
            stuck = [member for member in (*self._members(), *self._leaving) if member.runner is runner]
            self._serving = tuple(member for member in self._serving if member.runner is not runner)
            self._leaving = [member for member in self._leaving if member.runner is not runner]
            if self._apart in stuck:
                self._apart = None
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
            self._failures = self._short_lives = 0
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
            starting = self._starting
            self._announce()
        if starting is not None:
            starting.kill()
        if self._thread is not None:
            self._settled.wait(max(0.0, deadline + CLOSE_S - self._clock.monotonic()))
        with self._changed:
            members = [*self._members(), *self._leaving, *self._stuck]
            self._serving, self._spare, self._apart = (), None, None
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
        # Its children die with the thread that started them (``BunLauncher``), so it stays until they are done.
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
            if self._apart in ended:
                self._apart = None
            self._leaving = [member for member in self._leaving if not member.child.has_ended]
        for member in ended:
            _log.warning("functions_process_ended", pid=member.child.pid)
            lived_s = self._clock.monotonic() - member.born
            self._short_lives = self._short_lives + 1 if lived_s < SHORT_LIFE_S else 0

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
            self._serve_with(self._start_member())
        self._fill_apart()
        if self._spare is None:
            self._spare = self._start_member()

    def _fill_apart(self) -> None:
        """A process for suspects while there are any."""
        with self._changed:
            idle = self._apart if not self._suspects else None
            if idle is not None:
                self._apart = None
        if idle is not None:
            self._part_with([idle])
        if self._suspects and self._apart is None:
            member = self._start_member()
            with self._changed:
                self._apart = member
                self._changed.notify_all()

    def _renew(self, wanted: int) -> None:
        """Put a whole new set in the place of those that serve, none of which stops before."""
        fresh: list[_Member] = []
        try:
            while len(fresh) < self._workers:
                fresh.append(self._start_member())
        except StartFailed:
            self._part_with(fresh)
            raise
        with self._changed:
            old = self._members()
            self._serving, self._spare, self._apart = tuple(fresh), None, None
            self._generation = wanted
            self.is_idle = False
            self._changed.notify_all()
        self._part_with(old)

    def _rest(self, wanted: int, reason: str) -> None:
        """Part with all children: the app has nothing for them any more."""
        with self._changed:
            old = self._members()
            self._serving, self._spare, self._apart = (), None, None
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

    def _start_member(self) -> _Member:
        """A child that is ready. Raises ``StartFailed``."""
        if self._short_lives > SHORT_LIVES_MAX:
            self._short_lives = SHORT_LIVES_MAX
            raise StartFailed("its processes end right after they start")
        sources = self._launcher.sources()
        child = self._launcher.launch(self._note_end)
        with self._changed:
            self._starting = child
        problem = "the server is stopping" if self._stopping else child.runner.wait_until_ready(HANDSHAKE_S)
        member = _Member(child, self._clock.monotonic(), sources)
        with self._changed:
            self._starting = None
            if problem is not None:
                self._leaving.append(member)
        if problem is not None:
            child.kill()
            raise StartFailed(f"its process did not become ready: {problem}")
        _log.info("functions_process_ready", pid=child.pid, functions=len(child.runner.registry))
        return member

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

    def _part_with(self, members: list[_Member]) -> None:
        with self._changed:
            self._leaving += members
        for member in members:
            member.runner.retire()

    def _serve_with(self, member: _Member) -> None:
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

    def _members(self) -> list[_Member]:
        return [*self._serving, *(member for member in (self._spare, self._apart) if member is not None)]

    def _given_to(self, suspect: object) -> Runner | None:
        """The process apart, if it is this one's turn."""
        is_first = bool(self._suspects) and self._suspects[0] is suspect
        return self._apart.runner if is_first and self._apart is not None and self._apart.runner.is_open else None

    def _not_available(self, problem: str) -> PylonError:
        language, reason = self._launcher.language, problem.removesuffix(".")
        return PylonError("FUNCTIONS_NOT_AVAILABLE", f"{language} function runtime is not configured: {reason}.")

    def _note_end(self) -> None:
        with self._changed:
            self._announce()

    def _announce(self) -> None:
        self._has_news = True
        self._changed.notify_all()
