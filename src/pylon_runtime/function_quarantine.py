"""Where suspects are run: calls each of which may have kept a process from moving.

Each gets a process to itself, out of a few that are apart from those that serve, the *lanes*. Those that are
tried briefly go first and may have every lane; those that have all their time may not, so that there is always one
in which the innocent are soon done. Among equals the order is that in which they came.

The condition of who owns it guards it: every method is called with that held.
"""

from pylon_functions.runner import Runner
from pylon_runtime.function_starts import Member

LANES_MAX = 3
FULL_MAX = 2
"""How many lanes suspects with all their time may have at once: each may compute without end."""


class Suspect:
    """One call that is tried; ``runner`` once it has a lane."""

    def __init__(self, *, is_brief: bool) -> None:
        self.is_brief = is_brief
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

    def needs_lane(self) -> bool:
        """Whether somebody waits who would get one more lane."""
        return len(self.lanes) < LANES_MAX and not self._free() and self._next() is not None

    def open(self, lane: Member) -> None:
        self.lanes = (*self.lanes, lane)
        self._assign()

    def close(self, lane: Member) -> None:
        """Give it to nobody any more."""
        self.lanes = tuple(other for other in self.lanes if other is not lane)

    def clear(self) -> None:
        """Close all lanes; who is in one stays to its end."""
        self.lanes = ()

    def idle(self) -> list[Member]:
        """The lanes that nobody waits for."""
        return [] if self._waiting else self._free()

    def _assign(self) -> None:
        for lane in self._free():
            suspect = self._next()
            if suspect is None:
                return
            suspect.lane = lane
            self._waiting.remove(suspect)
            self._tried.append(suspect)

    def _next(self) -> Suspect | None:
        brief = next((suspect for suspect in self._waiting if suspect.is_brief), None)
        if brief is not None or sum(not suspect.is_brief for suspect in self._tried) >= FULL_MAX:
            return brief
        return next(iter(self._waiting), None)

    def _free(self) -> list[Member]:
        taken = [suspect.lane for suspect in self._tried]
        return [lane for lane in self.lanes if lane not in taken and lane.runner.is_open]
