"""What is done by the clock, as it is kept: one entry for each schedule, shared by all servers on a database."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pylon_http.jobs import NewJob


class ScheduleEntry(msgspec.Struct, frozen=True):
    """``spec`` says by what rule ``next_ms`` was reckoned; ``last_ms`` is the last time that was not left out."""

    spec: str
    next_ms: int
    last_ms: int | None


class ScheduleStore(Protocol):
    """Any thread may call any method. A write is durable when its method returns."""

    def keep(self, entries: Mapping[str, tuple[str, int]]) -> None:
        """Have these and no others, by name, each with its spec and the next time. One that is there with the same
        spec stays as it is."""

    def entries(self) -> Mapping[str, ScheduleEntry]: ...

    def advance(self, name: str, seen: ScheduleEntry, next_ms: int, due: tuple[int, NewJob] | None) -> bool:
        """Go on from an entry as it was seen to the next time, and enqueue the job of the time that is due, unless
        that is left out, in one transaction. False, and nothing is done, when it is not as it was seen: another
        server was first."""
