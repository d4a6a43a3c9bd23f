"""Which process of functions has which role, in one language.

    start --ready--> spare --a place is free--> serving --reload, or a stuck handler--> leaving --> ended
                       ready --a call to be run apart--> lane --unused for a while, or the one to blame--> leaving
      any of them --crash--> ended

The supervisor's thread gives the roles; the threads that call functions look at them, and take the role of a
process that is stuck. ``changed`` guards them all and tells of their changes; no process is started, ended or
spoken to under it. ``least_loaded`` takes no lock: it looks at one tuple.
"""

import threading
from weakref import WeakSet

from pylon_functions.runner import Runner
from pylon_runtime.function_quarantine import Quarantine
from pylon_runtime.function_starts import Member


class Roles:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.serving: tuple[Member, ...] = ()
        self.spare: Member | None = None
        self.quarantine = Quarantine()
        self.leaving: list[Member] = []
        self.stuck: list[Member] = []
        self.unmoving: WeakSet[Runner] = WeakSet()
        """Those that were ended because they did not move any more."""
        self.cleared: WeakSet[Runner] = WeakSet()
        """Those of them of which it is known by which call."""
        self.generation = 0
        self.generation_wanted = 1
        self.generation_failed = 0
        self.problem: str | None = "is not running: it was not started"
        """Why there is nobody to serve, if that is known: what the runtime of the language does instead."""
        self.is_idle = False
        """Whether the app has no functions in this language."""
        self.has_news = False
        self.is_stopping = False

    def least_loaded(self) -> Member | None:
        """Of those that take calls."""
        members = [member for member in self.serving if member.runner.is_open]
        return min(members, key=lambda member: member.runner.load, default=None)

    def is_decided(self) -> bool:
        """Whether functions are served, or it is known why not."""
        return self.problem is not None or self.least_loaded() is not None

    def members(self) -> list[Member]:
        """All that take calls or will."""
        spare = [] if self.spare is None else [self.spare]
        return [*self.serving, *spare, *self.quarantine.lanes]

    # With the condition held

    def announce(self) -> None:
        """Something happened that the supervisor should look at."""
        self.has_news = True
        self.changed.notify_all()

    def take_away(self) -> list[Member]:
        """Take the roles of all members away."""
        members = self.members()
        self.serving, self.spare = (), None
        self.quarantine.clear()
        return members

    def drop_ended(self) -> list[Member]:
        """Those that were not asked to end, and did."""
        ended = [member for member in self.members() if member.child.has_ended]
        self.serving = tuple(member for member in self.serving if member not in ended)
        if self.spare in ended:
            self.spare = None
        for lane in ended:
            self.quarantine.close(lane)
        self.leaving = [member for member in self.leaving if not member.child.has_ended]
        return ended

    def set_stuck(self, runner: Runner) -> None:
        """Give the member that this one belongs to, if any, to the supervisor to be dismissed."""
        stuck = [member for member in (*self.members(), *self.leaving) if member.runner is runner]
        self.serving = tuple(member for member in self.serving if member.runner is not runner)
        self.leaving = [member for member in self.leaving if member.runner is not runner]
        for lane in stuck:
            self.quarantine.close(lane)
        self.stuck += stuck
