"""The thread that starts processes of functions, gives them their roles and renews them.

A spare that is already warm takes the place of one that fell out, so neither a crash nor a stuck handler costs
callers a start-up. A start that fails is tried again, later and later (``Backoff``); that a handler ended its
process is no such failure.

``run`` is the supervisor's thread; any may call the rest. The condition of the roles guards what they share.
"""

import threading

import structlog

from pylon_core.clock import Clock
from pylon_functions.workers import Turn
from pylon_runtime.function_backoff import BACKOFF_MAX_S, Backoff
from pylon_runtime.function_launch import Launcher, NothingToRun, StartFailed
from pylon_runtime.function_roles import Roles
from pylon_runtime.function_starts import CLOSE_S, Member, Starts

KNOWN_LANE_EVERY_S = 0.5
"""How often at most a lane is opened for functions known to end theirs: it is at the cost of all others."""

_log = structlog.get_logger("pylon.functions")


class Supervisor:
    def __init__(self, launcher: Launcher, workers: int, clock: Clock, roles: Roles) -> None:
        self._launcher = launcher
        self._workers = workers
        self._clock = clock
        self._roles = roles
        self._backoff = Backoff(clock)
        self._starts = Starts(launcher, clock, roles.changed, self._note_end)
        self._known_lane_at = 0.0
        self.settled = threading.Event()
        """It starts no more processes."""
        self.children_ended = threading.Event()
        """To be set by who ends them."""

    def run(self) -> None:
        roles = self._roles
        try:
            while not roles.is_stopping:
                pause_s = self._tend_safely()
                with roles.changed:
                    roles.changed.wait_for(lambda: roles.has_news or roles.is_stopping, pause_s)
                    roles.has_news = False
        finally:
            self.settled.set()
        # Its children die with the thread that started them (``dying_with_parent``), so it stays to their end.
        self.children_ended.wait()

    def forgive(self) -> None:
        """What runs from now on is not what failed before; the condition is held."""
        self._backoff.forgive()
        self._starts.forgive()

    def stop_starting(self) -> None:
        """Start no more, nor go on with the one that is just starting; safe twice."""
        self._starts.stop()

    def _tend_safely(self) -> float | None:
        try:
            return self._tend()
        except Exception:  # noqa: BLE001 - the top of the thread, which callers and children depend on
            _log.exception("functions_supervisor_failed")
            failure = StartFailed("they failed to start; the server's log says why")
            return self._note_failure(failure, self._roles.generation_wanted)

    def _tend(self) -> float | None:
        """One round: part with the dead and the stuck, fill their places. Seconds until the next one, if
        nothing happens before."""
        self._drop_ended()
        self._dismiss_stuck()
        self._end_closed()
        early_s = self._backoff.left_s()
        if early_s > 0:
            return early_s
        wanted = self._roles.generation_wanted
        self._say_problem(None)
        try:
            pause_s = self._fill(wanted)
        except NothingToRun as nothing:
            self._rest(wanted, _problem(nothing))
            return BACKOFF_MAX_S
        except StartFailed as failure:
            return self._note_failure(failure, wanted)
        self._backoff.succeeded()
        if pause_s is None and (self._roles.leaving or self._roles.quarantine.lanes):
            return CLOSE_S
        return pause_s

    # Parting

    def _drop_ended(self) -> None:
        with self._roles.changed:
            ended = self._roles.drop_ended()
        for member in ended:
            _log.warning("functions_process_ended", pid=member.child.pid)
            self._starts.note_end(member)

    def _dismiss_stuck(self) -> None:
        self._promote_spare()
        roles = self._roles
        with roles.changed:
            stuck, roles.stuck = roles.stuck, []
            roles.leaving += stuck
        for member in stuck:
            # One hanging handler does not make a bad child: when the others still run, they may finish.
            if member.runner.responds(self._clock):
                member.runner.retire()
            else:
                roles.unmoving.add(member.runner)
                member.child.kill()
            _log.warning("functions_process_replaced", pid=member.child.pid)

    def _end_closed(self) -> None:
        """Kill those that were asked to end and did not."""
        now = self._clock.monotonic()
        for member in self._roles.leaving:
            if member.closed_at is None:
                member.closed_at = now if member.runner.is_over else None
            elif now - member.closed_at >= CLOSE_S:
                member.child.kill()

    def _part_with(self, members: list[Member]) -> None:
        with self._roles.changed:
            self._roles.leaving += members
        for member in members:
            member.runner.retire()

    # Filling

    def _fill(self, wanted: int) -> float | None:
        """Seconds until there is more to do, if that is known."""
        roles = self._roles
        if wanted != roles.generation:
            self._renew(wanted)
        self._promote_spare()
        while len(roles.serving) < self._workers:
            self._serve_with(self._starts.member())
        turn = self._tend_lanes()
        if turn in (Turn.BRIEF, Turn.FULL):
            self._open_lane()  # one at a time: meanwhile other processes may have fallen out
            return None
        if roles.spare is None:
            roles.spare = self._starts.member()
        if turn is None:
            return None
        early_s = self._known_lane_at + KNOWN_LANE_EVERY_S - self._clock.monotonic()
        if early_s > 0:
            return early_s
        self._open_lane()
        self._known_lane_at = self._clock.monotonic()
        return None

    def _tend_lanes(self) -> Turn | None:
        """Part with the lanes that nobody waits for; for whom another is to be opened."""
        quarantine = self._roles.quarantine
        with self._roles.changed:
            idle = quarantine.idle(self._clock.monotonic())
            for lane in idle:
                quarantine.close(lane)
            turn = quarantine.wants_lane()
        self._part_with(idle)
        return turn

    def _open_lane(self) -> None:
        lane = self._starts.member()
        lane.was_given_out = True
        with self._roles.changed:
            self._roles.quarantine.open(lane)
            self._roles.announce()

    def _renew(self, wanted: int) -> None:
        """Put a whole new set in the place of those that serve, none of which stops before."""
        fresh: list[Member] = []
        try:
            while len(fresh) < self._workers:
                fresh.append(self._starts.member())
        except BaseException:
            self._part_with(fresh)
            raise
        roles = self._roles
        with roles.changed:
            old = roles.take_away()
            roles.serving = tuple(fresh)
            roles.generation = wanted
            roles.is_idle = False
            roles.changed.notify_all()
        self._part_with(old)

    def _rest(self, wanted: int, problem: str) -> None:
        """Part with all children: the app has nothing for them any more."""
        roles = self._roles
        with roles.changed:
            old = roles.take_away()
            roles.generation = wanted
            roles.problem, roles.is_idle = problem, True
            roles.changed.notify_all()
        self._part_with(old)

    def _promote_spare(self) -> None:
        spare = self._roles.spare
        if spare is None or len(self._roles.serving) >= self._workers:
            return
        self._roles.spare = None
        if spare.sources == self._launcher.sources():
            self._serve_with(spare)
        else:
            self._part_with([spare])

    def _serve_with(self, member: Member) -> None:
        roles = self._roles
        with roles.changed:
            roles.is_idle = False
            roles.serving = (*roles.serving, member)
            roles.changed.notify_all()

    # Telling

    def _note_failure(self, failure: StartFailed, wanted: int) -> float:
        pause_s = self._backoff.failed()
        if wanted == self._roles.generation_wanted:  # else a reload has come in between, which must not wait
            self._backoff.hold(pause_s)
        self._roles.generation_failed = wanted
        self._say_problem(_problem(failure))
        if not self._roles.is_stopping:
            self._backoff.log(failure)
        return pause_s

    def _say_problem(self, problem: str | None) -> None:
        with self._roles.changed:
            if not self._roles.is_stopping:
                self._roles.problem = problem
            self._roles.changed.notify_all()

    def _note_end(self) -> None:
        with self._roles.changed:
            self._roles.announce()


def _problem(failure: StartFailed) -> str:
    return f"{failure.state}: {failure}"
