"""Who breaks things: a schedule of faults, made of a seed alone, and the thread that carries it out.

The schedule fixes what happens to whom, when, and for how long. Faults of different targets overlap; one target
has one fault at a time. Every fault ends with the schedule at the latest.
"""

import enum
import heapq
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

PAUSE_MEAN_S = 0.18
LASTS_S = (0.1, 1.5)
LASTS_LONG_S = (2.0, 6.0)
LONG_SHARE = 0.1


class FaultKind(enum.Enum):
    KILL = "kill"
    """SIGKILL; started again at the end."""
    REFUSE = "refuse"
    """Connections are reset, and new ones at once: offline, and everybody knows."""
    CUT = "cut"
    """Connections are reset once; new ones are welcome."""
    FREEZE = "freeze"
    """Nothing is forwarded and nobody told; at the end it all arrives, late."""
    BLACK_HOLE = "black hole"
    """The same, but at the end connections are reset and what was under way is lost."""
    NO_REQUESTS = "no requests"
    """What is said to the other side is lost, what it says arrives; at the end connections are reset."""
    NO_ANSWERS = "no answers"
    """The other way round: what is asked for is done, and nobody hears of it."""
    DELAY = "delay"
    TERMINATE = "terminate"
    """Half of all sessions of the database are ended in good order."""
    CRASH = "crash"
    """SIGKILL to one session of the database, upon which it recovers from its log."""


NETWORK = (
    FaultKind.REFUSE,
    FaultKind.CUT,
    FaultKind.FREEZE,
    FaultKind.BLACK_HOLE,
    FaultKind.NO_REQUESTS,
    FaultKind.NO_ANSWERS,
    FaultKind.DELAY,
)
PROCESS = (FaultKind.KILL,)
DATABASE = (FaultKind.TERMINATE, FaultKind.CRASH)
KINDS = (*NETWORK, FaultKind.NO_ANSWERS, FaultKind.NO_ANSWERS, *PROCESS * 4, *DATABASE)
"""As often as each is drawn: what was done and not heard of is done again, which is where most goes wrong."""


@dataclass(frozen=True)
class Fault:
    begins_s: float
    ends_s: float
    target: str
    kind: FaultKind

    def __str__(self) -> str:
        return f"{self.begins_s:.2f}-{self.ends_s:.2f} {self.kind.value} {self.target}"


def schedule(seed: int, targets: Mapping[str, tuple[FaultKind, ...]], seconds: float) -> list[Fault]:
    """Faults in the order in which they begin; ``targets``: what may befall whom."""
    chance = random.Random(f"{seed}/nemesis")
    kinds = [kind for kind in KINDS if any(kind in possible for possible in targets.values())]
    free_from = dict.fromkeys(targets, 0.0)
    faults: list[Fault] = []
    begins_s = 0.0
    while (begins_s := begins_s + chance.expovariate(1 / PAUSE_MEAN_S)) < seconds:
        kind = chance.choice(kinds)
        target = chance.choice(sorted(name for name, possible in targets.items() if kind in possible))
        lasts_s = chance.uniform(*(LASTS_LONG_S if chance.random() < LONG_SHARE else LASTS_S))
        if free_from[target] <= begins_s:
            faults.append(Fault(begins_s, min(seconds, begins_s + lasts_s), target, kind))
            free_from[target] = begins_s + lasts_s
    return faults


class Victim(Protocol):
    """What can be broken."""

    def begin(self, fault: Fault) -> None: ...

    def end(self, fault: Fault) -> None: ...


class Nemesis:
    """Breaks and mends on a thread of its own until the schedule is over; ``join`` tells what went wrong there."""

    def __init__(self, faults: Iterable[Fault], victim: Victim) -> None:
        self._faults = faults
        self._victim = victim
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nemesis")

    def start(self) -> None:
        self._thread.start()

    def join(self, deadline_s: float) -> None:
        self._thread.join(deadline_s)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Break nothing more; what is broken stays so."""
        self._stop.set()

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            for at_s, ends, fault in moments(self._faults):
                if self._stop.wait(max(0.0, begun + at_s - time.monotonic())):
                    return
                (self._victim.end if ends else self._victim.begin)(fault)
        except Exception as error:  # noqa: BLE001 - the top of a thread; ``join`` raises it
            self._failure = error


def moments(faults: Iterable[Fault]) -> Iterator[tuple[float, bool, Fault]]:
    """When faults begin and end, in order of time; the flag says that one ends."""
    waiting: list[tuple[float, bool, int, Fault]] = []
    for number, fault in enumerate(faults):
        heapq.heappush(waiting, (fault.begins_s, False, number, fault))
        heapq.heappush(waiting, (fault.ends_s, True, number, fault))
    while waiting:
        at_s, ends, _, fault = heapq.heappop(waiting)
        yield at_s, ends, fault
