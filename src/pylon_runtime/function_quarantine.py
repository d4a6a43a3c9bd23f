"""Where calls are run that may end a process or keep it from moving: suspects of that, and functions known for it.

Each gets a process to itself, out of a few that are apart from those that serve, the *lanes*. Those that are
tried briefly go first and may have every lane; those that have all their time may not, so that there is always one
in which the innocent are soon done. Those of known functions come last, and have one lane at most. Among equals
the order is that in which they came. A lane that is free is kept for a little, for the next.

The condition of who owns it guards it: every method is called with that held.
"""

from pylon_functions.runner import Runner
from pylon_functions.workers import Turn
from pylon_runtime.function_starts import Member

LANES_MAX = 3
FULL_MAX = 2
"""How many lanes suspects with all their time may have at once: each may compute without end."""
KNOWN_WAITING_MAX = 16
"""How many calls of known functions wait at most; who else keeps calling them need not hold a thread each."""
LINGER_S = 5.0
"""How long a lane that nobody waits for is kept."""


class Suspect:
    """One call that is tried; ``runner`` once it has a lane."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.lane: Member | None = None

    @property
    def runner(self) -> Runner | None:
        return None if self.lane is None else self.lane.runner


class Quarantine:
    def __init__(self) -> None:
        self._waiting: list[Suspect] = []
        self._tried: list[Suspect] = []
        self.lanes: tuple[Member, ...] = ()

    def enter(self, suspect: Suspect) -> None:
        self._waiting.append(suspect)
        self._assign()

    def leave(self, suspect: Suspect) -> Member | None:
        """The suspect is done, or waits no longer; its lane, if that is of no more use."""
        if suspect.lane is None:
            self._waiting.remove(suspect)
            return None
        self._tried.remove(suspect)
        is_spoilt = suspect.lane.runner.has_strays
        if is_spoilt:
            self.close(suspect.lane)
        self._assign()
        return suspect.lane if is_spoilt else None

    def is_crowded(self) -> bool:
        """Whether too many calls of known functions wait."""
        return sum(suspect.turn is Turn.KNOWN for suspect in self._waiting) >= KNOWN_WAITING_MAX

    def wants_lane(self) -> Turn | None:
        """The turn of who waits and would get one more lane."""
        suspect = self._next()
        if suspect is None or len(self.lanes) >= LANES_MAX or self._free():
            return None
        return suspect.turn

    def open(self, lane: Member) -> None:
        self.lanes = (*self.lanes, lane)
        self._assign()

    def close(self, lane: Member) -> None:
        """Give it to nobody any more."""
        self.lanes = tuple(other for other in self.lanes if other is not lane)

    def clear(self) -> None:
        """Close all lanes; who is in one stays to its end."""
        self.lanes = ()

    def idle(self, now: float) -> list[Member]:
        """The lanes that nobody has waited for lately."""
        free = [] if self._waiting else self._free()
        for lane in free:
            lane.idle_since = now if lane.idle_since is None else lane.idle_since
        return [lane for lane in free if lane.idle_since is not None and now - lane.idle_since >= LINGER_S]

    def _assign(self) -> None:
        for lane in self._free():
            suspect = self._next()
            if suspect is None:
                return
            suspect.lane = lane
            lane.idle_since = None
            self._waiting.remove(suspect)
            self._tried.append(suspect)

    def _next(self) -> Suspect | None:
        tried = [suspect.turn for suspect in self._tried]
        allowed = [Turn.BRIEF]
        if len(tried) - tried.count(Turn.BRIEF) < FULL_MAX:
            allowed.append(Turn.FULL)
            if Turn.KNOWN not in tried:
                allowed.append(Turn.KNOWN)
        return next((suspect for turn in allowed for suspect in self._waiting if suspect.turn is turn), None)

    def _free(self) -> list[Member]:
        taken = [suspect.lane for suspect in self._tried]
        return [lane for lane in self.lanes if lane not in taken and lane.runner.is_open]
